package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/e2e/provider"
)

const keys = issuerName + "/keys"

// get asks as a client that has five seconds: a hang is longer, and any answer
// comes sooner.
func (p *tested) get(t *testing.T, header http.Header, url string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header
	resp, err := p.client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

func TestBehaviour(t *testing.T) {
	for _, b := range []provider.Behaviour{provider.Hang, provider.Refuse} {
		for _, kept := range []bool{false, true} {
			t.Run(string(b), func(t *testing.T) {
				t.Parallel() // hangs are waited for
				p := start(t)
				if err := p.get(t, http.Header{}, keys); err != nil {
					t.Fatal(err)
				}
				if !kept {
					p.client.CloseIdleConnections()
				}
				p.behave(t, b)
				err := p.get(t, http.Header{}, keys)
				if hung := errors.Is(err, context.DeadlineExceeded); err == nil || hung != (b == provider.Hang) {
					t.Errorf("with a connection that was there (%v): %v", kept, err)
				}
				if p.token(t, mara) == "" {
					t.Error("no token meanwhile")
				}
				p.behave(t, provider.Answer)
				if err := p.get(t, http.Header{}, keys); err != nil {
					t.Error("afterwards: ", err)
				}
			})
		}
	}
}

// What hung is answered later, where somebody still waits.
func TestHeld(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.behave(t, provider.Hang)
	done := make(chan error)
	go func() {
		resp, err := p.client.Get(keys)
		if err == nil {
			resp.Body.Close()
		}
		done <- err
	}()
	if err := p.get(t, http.Header{}, keys); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	p.behave(t, provider.Answer)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestWitness(t *testing.T) {
	p := start(t)
	const secret = "a-token-of-somebody"
	for _, err := range []error{
		p.get(t, http.Header{"Authorization": {"Bearer " + secret}}, keys),
		p.get(t, http.Header{"X-More": {"1"}}, keys+"?a=b"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	p.token(t, mara) // through the control, which is no one's request
	var seen provider.Seen
	p.order(t, http.MethodGet, "/requests", nil, &seen)
	if len(seen.Requests) != 2 || seen.More != 0 {
		t.Fatalf("%+v", seen)
	}
	with, without := seen.Requests[0], seen.Requests[1]
	if len(with.Authorization) != 8 || strings.Contains(secret, with.Authorization) || with.Query || with.Body ||
		with.Method != http.MethodGet || with.Path != "/keys" {
		t.Errorf("%+v", with)
	}
	if without.Authorization != "" || !without.Query || !slices.Contains(without.Headers, "X-More") {
		t.Errorf("%+v", without)
	}
}
