package main

import (
	"io"
	"net/http"
	"os"
	"time"

	"sallyport/e2e/caller"
)

// client waits a little longer than the gate does for any decision.
var client = http.Client{Timeout: 10 * time.Second}

// call calls the query's url with the token in the query's file, as an app
// should that calls another: it reads the file each time.
func call(r *http.Request) any {
	query := r.URL.Query()
	token, err := os.ReadFile(query.Get("token"))
	if err != nil {
		return caller.Answer{Error: err.Error()}
	}
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, query.Get("url"), nil)
	if err != nil {
		return caller.Answer{Error: err.Error()}
	}
	req.Header.Set("Authorization", "Bearer "+string(token))
	resp, err := client.Do(req)
	if err != nil {
		return caller.Answer{Error: err.Error()}
	}
	defer resp.Body.Close()
	a := caller.Answer{Status: resp.StatusCode, Header: resp.Header}
	if a.Body, err = io.ReadAll(io.LimitReader(resp.Body, 64<<10)); err != nil {
		a.Error = err.Error()
	}
	return a
}
