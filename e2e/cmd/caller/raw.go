package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"sallyport/e2e/caller"
)

// rawTime is how long raw bytes and their answer may take. To some there is none.
const rawTime = 3 * time.Second

func raw(w http.ResponseWriter, r *http.Request) {
	var order caller.Raw
	if !read(w, r, &order) {
		return
	}
	answer, err := sendRaw(r.Context(), order)
	if err != nil {
		answer.Error = err.Error()
	}
	write(w, answer)
}

func sendRaw(ctx context.Context, order caller.Raw) (a caller.Answer, err error) {
	began := time.Now()
	defer func() { a.Took = time.Since(began) }()
	token, err := tokenOf(order.TokenFile, order.Token)
	if err != nil {
		return a, err
	}
	dialer := net.Dialer{Timeout: rawTime}
	conn, err := dialer.DialContext(ctx, "tcp", order.Address)
	if err != nil {
		return a, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(rawTime))
	again := base64.RawURLEncoding.EncodeToString([]byte(token))
	text := strings.NewReplacer("{token}", token, "{base64}", again).Replace(order.Text)
	if _, err := io.WriteString(conn, text); err != nil {
		return a, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	a.Status, a.Header = resp.StatusCode, resp.Header
	a.Body, err = io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	return a, err
}
