package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"sallyport/e2e/caller"
)

// client follows no redirects: nothing that is called here should send any.
var client = http.Client{
	Timeout:       15 * time.Second, // more than the gate takes for any answer
	Transport:     &http.Transport{MaxIdleConnsPerHost: 64},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// send sends one request. It returns the token's fingerprint too.
func send(ctx context.Context, req caller.Request) (a caller.Answer, used string) {
	began := time.Now()
	defer func() { a.Took = time.Since(began) }()
	r, err := http.NewRequestWithContext(ctx, req.Method, req.URL, nil)
	if err != nil {
		return caller.Answer{Error: err.Error()}, ""
	}
	r.Close = req.Alone
	r.Header.Set("Accept", "application/json")
	token, err := tokenOf(req.TokenFile, req.Token)
	if err != nil {
		return caller.Answer{Error: err.Error()}, ""
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
		used = fingerprint(token)
	}
	resp, err := client.Do(r)
	if err != nil {
		return caller.Answer{Error: err.Error()}, used
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	a = caller.Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}
	if err != nil {
		a.Error = err.Error()
	}
	return a, used
}

// tokenOf returns the token that is in the file now, or the other one where no
// file is named. From now on the caller knows it for a secret.
func tokenOf(file, token string) (string, error) {
	if file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		token = string(data)
	}
	known.add(token)
	return token, nil
}

func fingerprint(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:4])
}

// describe tells of the token in a file.
func describe(file string) (caller.Token, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return caller.Token{}, err
	}
	parts := strings.Split(string(data), ".")
	if len(parts) != 3 {
		return caller.Token{}, errors.New("no JWT")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return caller.Token{}, err
	}
	var claims struct {
		IssuedAt int64 `json:"iat"`
		Expires  int64 `json:"exp"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return caller.Token{}, err
	}
	return caller.Token{
		Fingerprint: fingerprint(string(data)),
		Issued:      time.Unix(claims.IssuedAt, 0),
		Expires:     time.Unix(claims.Expires, 0),
	}, nil
}
