package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/bench/badtoken"
	"sallyport/bench/load"
	"sallyport/bench/world"
)

const (
	// attacker is the address of all who mean harm; the others have 127.0.0.1.
	attacker = "127.0.0.2"
	// flooding is how many connections each flood has.
	flooding = 4
	// loitering is how many connections send no request: more than one address may
	// have, so that some are closed all the while.
	loitering = 600
)

// insecure is how attackers connect.
var insecure = &tls.Config{InsecureSkipVerify: true}

// floods sends bad tokens of several kinds, as fast as they are answered. Each has to
// be answered, and none to be let in.
func floods(ctx context.Context, g *ground, _ *crowd) error {
	kinds := []func(*world.World) (badtoken.Recipe, error){
		badtoken.Forged, badtoken.UnknownKey, badtoken.Expired, badtoken.Random, badtoken.Dots(1_000_000),
	}
	var wg sync.WaitGroup
	answers := make([]load.Tally, len(kinds))
	for i, kind := range kinds {
		recipe, err := kind(g.World)
		if err != nil {
			return err
		}
		f := load.Flood{From: attacker, To: g.gate.Data, TLS: insecure, Conns: flooding, Path: "/flood", Tokens: recipe.Tokens()}
		if i == 0 {
			f.Streams = 20
		}
		wg.Go(func() { answers[i] = f.Run(ctx) })
	}
	wg.Wait()
	for i, got := range answers {
		for status := range got {
			if status >= 200 && status < 400 {
				return fmt.Errorf("flood %d was answered with %d", i, status)
			}
		}
		if got.Sum() == got[load.Cut] {
			return fmt.Errorf("flood %d was not answered at all: %v", i, got)
		}
	}
	return nil
}

// loris opens connections that never finish a handshake, a header, or anything.
func loris(ctx context.Context, g *ground, _ *crowd) error {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(attacker)}, Timeout: answerTimeout}
	var opened atomic.Int64
	var wg sync.WaitGroup
	for i := range loitering {
		wg.Go(func() {
			for ctx.Err() == nil {
				if raw, err := d.DialContext(ctx, "tcp", g.gate.Data); err == nil {
					opened.Add(1)
					loiter(ctx, raw, i)
				}
				select {
				case <-time.After(time.Second):
				case <-ctx.Done():
				}
			}
		})
	}
	wg.Wait()
	if n := opened.Load(); n < loitering/2 {
		return fmt.Errorf("only %d connections loitered", n)
	}
	return nil
}

// loiter holds a connection until it is closed, in one of several manners.
func loiter(ctx context.Context, raw net.Conn, manner int) {
	defer raw.Close()
	defer context.AfterFunc(ctx, func() { raw.Close() })()
	conn := net.Conn(raw)
	// Handshakes are the driver's work too, so that few have one.
	switch manner % 10 {
	case 0:
		conn = tls.Client(raw, insecure)
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ") // what comes of it shows below
	case 1:
		conn = tls.Client(raw, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
		_, _ = io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	case 2, 3, 4:
		_, _ = io.WriteString(conn, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
	}
	_, _ = io.Copy(io.Discard, conn)
}

// impatient calls the app and goes away before it answers.
func (g *ground) impatient(ctx context.Context) error {
	token, err := g.token()
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, h2 := range []bool{false, true} {
		wg.Go(func() {
			tr := transport(h2)
			_ = every(ctx, impatience/2, func(int) error { // it returns no error
				wg.Go(func() { g.leaves(ctx, tr, token) })
				return nil
			})
		})
	}
	return nil
}

// leaves calls once, with a body that never ends, and goes away.
func (g *ground) leaves(ctx context.Context, tr *http.Transport, token string) {
	ctx, cancel := context.WithTimeout(ctx, impatience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+g.gate.Data+"/", io.MultiReader(strings.NewReader("begun, "), endless{ctx}))
	if err != nil {
		return
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if resp, err := tr.RoundTrip(req); err == nil {
		resp.Body.Close()
	}
}

// An endless body has nothing more to say until somebody gives up.
type endless struct{ context.Context }

func (e endless) Read([]byte) (int, error) {
	<-e.Done()
	return 0, e.Err()
}
