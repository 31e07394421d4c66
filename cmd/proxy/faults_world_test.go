package main

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"sallyport/internal/config"
	"sallyport/internal/minicluster"
)

// A broken is a world in which things are broken while others ask.
type broken struct {
	*world
	data, admin string // the gate's addresses
	text        func() string
	child       *child // nil where the gate is in this process
	idp         idp    // the zero idp where only the cluster issues tokens
	upstream    *revenant
	// token issues a new caller's token; keeps keeps its connection, comes opens
	// one for each request.
	issue        func() string
	keeps, comes *http.Client
}

// world starts the world of a fault, and its gate.
func (f fault) world(t *testing.T, args []string) *broken {
	t.Helper()
	b := &broken{world: around(t)}
	b.issue = func() string { return b.token() }
	b.keeps, b.comes = clientOf(t, false), clientOf(t, true)
	if f.before != nil {
		args = append(args, f.before(b)...)
	}
	if f.born {
		f.breaks(b)
	}
	args = b.flags(b.dir, args)
	if f.process != nil {
		b.child = startChild(b.world, *f.process, args)
		b.data, b.admin, b.text = b.child.data, b.child.admin, b.child.log.String
	} else {
		b.inProcess(args)
	}
	t.Cleanup(b.cluster.Heal) // or who hangs holds up the end
	if !f.born || f.ready == "yes" {
		b.eventually("started", func() bool { code, _ := b.probe("/startupz"); return code == 200 })
	}
	return b
}

func (b *broken) inProcess(args []string) {
	b.t.Helper()
	c, err := config.Load(args)
	must(b.t, err)
	b.gate, err = newGate(c, b.log)
	must(b.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.gate.run(ctx) }()
	b.t.Cleanup(func() { cancel(); <-done })
	b.data, b.admin, b.text = b.gate.data.addr(), b.gate.admin.addr(), b.log.String
}

// clientOf is one caller's client. Its connections are its own.
func clientOf(t *testing.T, fresh bool) *http.Client {
	tr := &http.Transport{DisableKeepAlives: fresh}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 20 * time.Second}
}

// ask returns the status that a caller sees, and how long its answer took.
func (b *broken) ask(client *http.Client, token string, shape func(*http.Request)) (string, time.Duration) {
	req, err := http.NewRequest(http.MethodGet, "http://"+b.data+"/", nil)
	if err != nil {
		return err.Error(), 0
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if shape != nil {
		shape(req)
	}
	begun := time.Now()
	resp, err := client.Do(req)
	if err != nil {
		return "none", time.Since(begun)
	}
	defer resp.Body.Close()
	if _, err = io.Copy(io.Discard, resp.Body); err != nil {
		return "cut", time.Since(begun)
	}
	if resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") == "" {
		b.t.Error("503 without Retry-After")
	}
	return strconv.Itoa(resp.StatusCode), time.Since(begun)
}

func (b *broken) fine(token string) bool { s, _ := b.ask(b.keeps, token, nil); return s == "200" }

// probe asks the admin listener, as the kubelet does: over a new connection.
func (b *broken) probe(path string) (int, string) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	resp, err := client.Get("http://" + b.admin + path)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}

func (b *broken) ready() string {
	switch code, _ := b.probe("/readyz"); code {
	case 200:
		return "yes"
	case 503:
		return "no"
	}
	return "none"
}

// count adds up the series that begin like this.
func (b *broken) count(series string) (sum float64) {
	if series == "" {
		return 0
	}
	if b.idp.Cluster != nil { // its address is another in each run
		series = strings.Replace(series, `issuer="URL"`, `issuer="`+b.idp.URL()+`"`, 1)
	}
	series = strings.TrimSuffix(series, "}") // further labels may follow
	_, text := b.probe("/metrics")
	for line := range strings.Lines(text) {
		if i := strings.LastIndexByte(line, ' '); strings.HasPrefix(line, series) && i > 0 {
			v, _ := strconv.ParseFloat(strings.TrimSpace(line[i:]), 64)
			sum += v
		}
	}
	return sum
}

func (b *broken) counted(series string, before float64) {
	b.t.Helper()
	if series != "" {
		b.eventually("counted as "+series, func() bool { return b.count(series) > before })
	}
}

func (b *broken) logged(part string, since int) {
	b.t.Helper()
	if part != "" {
		b.eventually("logged: "+part, func() bool { return strings.Contains(b.text()[since:], part) })
	}
}

// eventually waits, at most 15 s, until something is so.
func (b *broken) eventually(what string, so func() bool) {
	b.t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for !so() {
		if time.Now().After(deadline) {
			_, ready := b.probe("/readyz")
			lines := strings.Split(b.text(), "\n")
			b.t.Fatalf("not %s within 15 s; /readyz: %s; log:\n%s", what, ready, strings.Join(lines[max(0, len(lines)-12):], "\n"))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// fails makes the API server fail.
func fails(e minicluster.Endpoint, f minicluster.Fault) func(*broken) {
	return func(b *broken) { b.cluster.Fail(e, f) }
}

func heals(b *broken) { b.cluster.Heal() }
