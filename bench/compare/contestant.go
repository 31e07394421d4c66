package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"time"

	"sallyport/bench/gate"
	"sallyport/bench/process"
)

// A contestant is a proxy that is measured.
type contestant struct {
	name, about string
	// authenticates says that it must refuse a bad token.
	authenticates bool
	// start starts it for a scenario.
	start func(context.Context, *site, *scenario) (*instance, error)
	// without says why it has no part in a scenario, or "".
	without func(*scenario) string
}

// An instance is a contestant that runs.
type instance struct {
	*process.Process
	addr string
	// admin is where ours tells its metrics; "" for all others.
	admin string
}

const bareName, headName, rivalName = "bare", "hybrid", "haproxy"

// contestants returns those that can be measured here, in the order of their
// turns.
func (t *tools) contestants() (all []contestant) {
	all = append(all, contestant{name: bareName, about: "`httputil.ReverseProxy`, no authentication", start: startBare})
	if t.nginx != "" {
		all = append(all, contestant{name: "nginx", about: "no authentication", start: startNginx})
	}
	if t.haproxy != "" {
		all = append(all, contestant{name: rivalName, about: "`jwt_verify` RS256, two threads", authenticates: true, start: startHAProxy})
	}
	for _, mode := range []string{headName, "oidc", "tokenreview"} {
		all = append(all, contestant{
			name: mode, about: "Sallyport, mode " + mode, authenticates: true,
			start: func(ctx context.Context, at *site, s *scenario) (*instance, error) {
				return at.startGate(ctx, s, at.gate, mode)
			},
		})
	}
	return all
}

func startBare(ctx context.Context, at *site, s *scenario) (*instance, error) {
	p, addr, err := at.launch(ctx, at.bare, func(addr string) []string {
		args := []string{"-listen=" + addr, "-app=" + at.app}
		if s.listener.tls() {
			args = append(args, "-cert="+at.cert, "-key="+at.key)
		}
		return args
	})
	return &instance{Process: p, addr: addr}, err
}

func (at *site) startGate(ctx context.Context, s *scenario, program, mode string) (*instance, error) {
	g, err := gate.Start(ctx, program, at.gateFlags(s, mode)...)
	if err != nil {
		return nil, err
	}
	at.stops = append(at.stops, g.Stop)
	return &instance{Process: g.Process, addr: g.Data, admin: g.Admin}, nil
}

func (at *site) gateFlags(s *scenario, mode string) []string {
	flags := append(at.world.Flags(), "--mode="+mode)
	if s.listener.tls() {
		flags = append(flags, "--tls-cert-file="+at.cert, "--tls-key-file="+at.key)
	}
	if s.tokens > 1000 {
		// A gate rechecks 50 tokens a second at most: what is measured are known
		// tokens, and not how they come to be.
		flags = append(flags, "--recheck=1h")
	}
	return append(flags, at.serve...)
}

// warm has the proxy know every token. It takes as long as the proxy's limits for
// new tokens make it.
func (i *instance) warm(ctx context.Context, at *site, s *scenario) error {
	client, base := i.client(s)
	defer client.CloseIdleConnections()
	for _, token := range at.tokens {
		if err := insist(ctx, client, base, token); err != nil {
			return fmt.Errorf("%w; its log:\n%s", err, i.Log())
		}
	}
	return nil
}

// patience is how long a good token may be refused with 503.
const patience = 30 * time.Second

// insist asks until the token is let in.
func insist(ctx context.Context, client *http.Client, url, token string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		code, err := status(ctx, client, url, token)
		if err == nil && code == http.StatusOK {
			return nil
		}
		if err == nil && code != http.StatusServiceUnavailable {
			return fmt.Errorf("a good token was answered with %d", code)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("a good token did not get in: status %d, %w", code, err)
		}
	}
}

// refuses makes sure that it does what it is compared for: no token, and one with
// a spoilt signature, are 401.
func (i *instance) refuses(ctx context.Context, at *site, s *scenario) error {
	client, base := i.client(s)
	defer client.CloseIdleConnections()
	good := at.tokens[0]
	dot := strings.LastIndexByte(good, '.')
	spoilt := good[:dot+100] + strings.Repeat("A", 20) + good[dot+120:]
	for name, token := range map[string]string{"no token": "", "a forged token": spoilt} {
		code, err := status(ctx, client, base, token)
		if err != nil {
			return err
		}
		if code != http.StatusUnauthorized {
			return fmt.Errorf("%s was answered with %d", name, code)
		}
	}
	return nil
}

// client speaks to it as the scenario's callers do.
func (i *instance) client(s *scenario) (client *http.Client, url string) {
	p := new(http.Protocols)
	p.SetHTTP1(s.listener == clear || s.listener == secure)
	p.SetHTTP2(s.listener == h2)
	p.SetUnencryptedHTTP2(s.listener == h2c)
	t := &http.Transport{Protocols: p, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // of loopback, see certificate
	return &http.Client{Transport: t}, s.url(i.addr)
}

func (s *scenario) url(addr string) string {
	scheme := "http://"
	if s.listener.tls() {
		scheme = "https://"
	}
	return scheme + addr + "/"
}
