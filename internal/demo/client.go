package demo

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"sallyport/internal/authn/jwt"
)

// patience is how long a caller waits for an answer: longer than the gate ever
// takes to decide, which is 8 s.
const patience = 10 * time.Second

// An answer is what a caller got.
type answer struct {
	code      int
	challenge string // WWW-Authenticate
	retry     string // Retry-After
	// arrived is what reached the app, nil where nothing did.
	arrived http.Header
	// err is why there is no answer at all; then code is 0.
	err error
}

// status is the code, or a dash where there was no answer.
func (a answer) status() string {
	if a.code == 0 {
		return "---"
	}
	return fmt.Sprint(a.code)
}

// told is what the answer says, in a few words.
func (a answer) told() string {
	switch {
	case a.err != nil:
		return a.err.Error()
	case a.arrived != nil:
		c := callerOf(a.arrived)
		return "app saw " + strings.Trim(c.user+", "+c.pod, ", ")
	case a.retry != "":
		return "try again in " + a.retry + " s"
	}
	if d := a.description(); d != "" {
		return d
	}
	return a.challenge
}

// description is the beginning of the challenge's error_description: what
// follows is advice.
func (a answer) description() string {
	_, d, _ := strings.Cut(a.challenge, `error_description="`)
	d, _, _ = strings.Cut(d, `"`)
	if i := strings.IndexAny(d, ",;"); i >= 0 {
		d = d[:i]
	}
	return d
}

// call asks the gate for a path that nobody else asks for at the same time,
// with a token or, where that is "", without. Headers are pairs.
func (w *world) call(ctx context.Context, path, token string, headers ...string) (a answer) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.gate.Data+path, nil)
	if err != nil {
		return answer{err: err}
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	// Nobody reads the page: what counts is what the app noted. Its end must be
	// read all the same, so that the connection can be used again.
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)); err != nil {
		return answer{err: err}
	}
	return answer{
		code: resp.StatusCode, arrived: w.app.take(path),
		challenge: resp.Header.Get("WWW-Authenticate"), retry: resp.Header.Get("Retry-After"),
	}
}

// idOf is a token's jti, and "" for one that has none.
func idOf(token string) string {
	t, err := jwt.Decode(token)
	if err != nil {
		return ""
	}
	return t.Claims.ID
}

// short is a name for a token that a person can compare: the beginning of its
// id, which is a UUID and no part of what proves it.
func short(token string) string {
	id := idOf(token)
	return id[:min(8, len(id))]
}

// left is how long a token is still good for.
func left(token string) time.Duration {
	t, err := jwt.Decode(token)
	if err != nil {
		return 0
	}
	return time.Until(t.Claims.Expires)
}
