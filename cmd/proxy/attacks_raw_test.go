package main

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// A reply is what the caller got.
type reply struct {
	// outcome is the status; several, if there were several answers; "none" for
	// none; ", closed" follows where the connection was not to be used again.
	outcome string
	code    int
	header  http.Header
	trailer http.Header
	body    string
	seen    *arrival // nil where the app did not answer
}

// dialGate opens a connection to the gate.
func (s *siege) dialGate(proto string) net.Conn {
	s.t.Helper()
	c, err := net.Dial("tcp", s.gate.data.addr())
	must(s.t, err)
	s.t.Cleanup(func() { c.Close() })
	must(s.t, c.SetDeadline(time.Now().Add(15*time.Second))) // a bug, not a hang
	if !s.way.tls {
		return c
	}
	return tls.Client(c, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{proto}})
}

// raw sends a request as it stands, with the good token in place of {token}, and
// then another, to see what became of the connection.
func (s *siege) raw(request string) reply {
	s.t.Helper()
	c := s.dialGate("http/1.1")
	defer c.Close()
	go io.WriteString(c, strings.ReplaceAll(request, "{token}", s.good)) // it may not be read to the end
	br := bufio.NewReader(c)
	r := reply{}
	asked := &http.Request{Method: methodOf(request)}
	for codes := []string{}; ; {
		res, err := http.ReadResponse(br, asked)
		if err == nil && res.StatusCode < 200 && res.StatusCode != http.StatusSwitchingProtocols {
			continue
		}
		var body []byte
		if err == nil {
			body, err = io.ReadAll(res.Body)
		}
		if res != nil && res.Close && errors.Is(err, syscall.ECONNRESET) {
			err = nil // the end of the connection was the body's
		}
		if err != nil { // however it was closed
			r.outcome = strings.Join(append(codes, "closed"), ", ")
			if len(codes) == 0 {
				r.outcome = "none"
			}
			return r
		}
		if len(codes) == 0 {
			r.code, r.header, r.trailer, r.body = res.StatusCode, res.Header, res.Trailer, string(body)
			json.Unmarshal(body, &r.seen)
			asked = nil
			fmt.Fprint(c, "GET /probe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		}
		if res.Close && res.StatusCode == http.StatusUnauthorized && len(codes) > 0 {
			r.outcome = strings.Join(codes, ", ")
			return r
		}
		codes = append(codes, fmt.Sprint(res.StatusCode))
		s.noTokenIn(r.body)
	}
}

// refused notes whether requests get 400, or no answer: the end of the connection
// may overtake it.
func (s *siege) refused(requests ...string) {
	s.t.Helper()
	for _, request := range requests {
		outcome := s.raw(request).outcome
		if outcome == "400, closed" || outcome == "none" {
			outcome = "refused"
		}
		s.got(outcome, request)
	}
}

func methodOf(request string) string {
	method, _, _ := strings.Cut(request, " ")
	return method
}

// through sends a request that has to reach the app, and returns what that saw.
func (s *siege) through(request string) *arrival {
	s.t.Helper()
	r := s.raw(request)
	if r.seen == nil {
		s.t.Fatalf("the app did not answer: %s: %.300q", r.outcome, request)
	}
	return r.seen
}

// A request line, and the lines of a header with the good token.
func known(target string, lines ...string) string {
	return send("GET", target, append(lines, "Authorization: Bearer {token}")...)
}

// anon is a request without a token.
func anon(target string, lines ...string) string { return send("GET", target, lines...) }

func send(method, target string, lines ...string) string {
	return method + " " + target + " HTTP/1.1\r\nHost: shop.example\r\n" + strings.Join(append(lines, "", ""), "\r\n")
}
