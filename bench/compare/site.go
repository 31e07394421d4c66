package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"sallyport/bench/certificate"
	"sallyport/bench/process"
	"sallyport/bench/world"
	"sallyport/internal/minicluster"
)

// A site is what the proxies of one scenario have around them: a cluster, an app,
// callers with tokens, and files.
type site struct {
	tools
	dir       string
	world     *world.World
	app       string // the app's URL
	tokens    []string
	tokenFile string
	// cert and key are every proxy's certificate, public the key that proves
	// tokens.
	cert, key, public string
	duration          time.Duration // of one load

	stops []func()
}

// open makes a site for callers with so many tokens.
func (t tools) open(ctx context.Context, tokens int, duration time.Duration) (at *site, err error) {
	at = &site{tools: t, duration: duration}
	defer func() {
		if err != nil {
			at.close()
		}
	}()
	if at.dir, err = os.MkdirTemp("", "compare"); err != nil {
		return at, err
	}
	at.stops = append(at.stops, func() { os.RemoveAll(at.dir) })
	if err := at.startApp(ctx); err != nil {
		return at, fmt.Errorf("the app: %w", err)
	}
	if at.world, err = world.New(at.dir, at.app); err != nil {
		return at, err
	}
	at.stops = append(at.stops, at.world.Close)
	if at.tokens, err = at.world.Tokens(tokens); err != nil {
		return at, err
	}
	at.tokenFile = at.file("tokens")
	if err := os.WriteFile(at.tokenFile, []byte(strings.Join(at.tokens, "\n")+"\n"), 0o600); err != nil {
		return at, err
	}
	public, err := at.world.PublicKey()
	if err != nil {
		return at, err
	}
	at.public = at.file("public.pem")
	if err := os.WriteFile(at.public, public, 0o600); err != nil {
		return at, err
	}
	at.cert, at.key, err = certificate.Write(at.dir)
	return at, err
}

func (at *site) file(name string) string { return filepath.Join(at.dir, name) }

func (at *site) close() {
	for i := len(at.stops) - 1; i >= 0; i-- {
		at.stops[i]()
	}
}

// listening waits until somebody listens there.
func listening(ctx context.Context, p *process.Process, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			return c.Close()
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-p.Done():
			return errors.New("it ended")
		case <-ctx.Done():
			return err
		}
	}
}

// launch starts a program that listens at a free address, which the arguments are
// made from, and waits until it does.
func (at *site) launch(ctx context.Context, program string, args func(addr string) []string) (*process.Process, string, error) {
	port, err := minicluster.ReservePort()
	if err != nil {
		return nil, "", err
	}
	p, err := process.Start(program, args(port.Addr())...)
	if err != nil {
		return nil, "", err
	}
	at.stops = append(at.stops, p.Stop)
	if err := listening(ctx, p, port.Addr()); err != nil {
		return nil, "", fmt.Errorf("%s: %w; its log:\n%s", filepath.Base(program), err, p.Log())
	}
	return p, port.Addr(), nil
}

// tools are the programs that there are.
type tools struct {
	gate, bare, app, steady     string   // built
	nginx, haproxy, wrk, h2load string   // "" where it is not installed
	serve                       []string // further flags of ours
	profile                     string   // where its CPU profiles go, or ""
}

// find builds our own programs into dir and looks for the others.
func find(ctx context.Context, dir string) (t tools, err error) {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", dir+"/",
		"sallyport/bench/app", "sallyport/bench/bare", "sallyport/bench/steady")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return t, fmt.Errorf("go build: %w\n%s", err, out)
	}
	t.app, t.bare, t.steady = filepath.Join(dir, "app"), filepath.Join(dir, "bare"), filepath.Join(dir, "steady")
	for name, file := range map[string]*string{"nginx": &t.nginx, "haproxy": &t.haproxy, "wrk": &t.wrk, "h2load": &t.h2load} {
		// Debian keeps servers where only root looks.
		for _, dir := range []string{"", "/usr/sbin/"} {
			if path, err := exec.LookPath(dir + name); err == nil {
				*file = path
			}
		}
	}
	return t, nil
}

// missing says what is left out for want of a program.
func (t *tools) missing(w io.Writer) {
	for _, m := range []struct{ file, text string }{
		{t.nginx, "nginx is not installed: it is not compared, and the app is a Go program"},
		{t.haproxy, "haproxy is not installed: it is not compared"},
		{t.wrk, "wrk is not installed: the bench's own client, steady, is in its place; upload and connect are left out"},
		{t.h2load, "h2load is not installed (Debian: nghttp2-client): h2 and h2c are left out"},
	} {
		if m.file == "" {
			fmt.Fprintln(w, m.text)
		}
	}
}

// status asks a proxy once, and returns the answer's status.
func status(ctx context.Context, client *http.Client, url, token string) (int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}
