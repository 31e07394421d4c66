package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// echoing serves echo on l and returns how to ask it in HTTP/1.1 and in h2c.
func echoing(t *testing.T, l net.Listener) map[string]*http.Client {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serveEcho(ctx, l) }()
	clients := map[string]*http.Client{}
	for name, set := range map[string]func(*http.Protocols, bool){
		"HTTP/1.1": (*http.Protocols).SetHTTP1, "HTTP/2.0": (*http.Protocols).SetUnencryptedHTTP2,
	} {
		protocols := new(http.Protocols)
		set(protocols, true)
		transport := &http.Transport{Protocols: protocols, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, l.Addr().Network(), l.Addr().String())
		}}
		t.Cleanup(transport.CloseIdleConnections)
		clients[name] = &http.Client{Transport: transport}
	}
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("echo ended with %v", err)
		}
	})
	return clients
}

func loopbackListener(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

const secret = "s3cr3t-token"

// ask sends a request with everything in it that echo tells.
func ask(t *testing.T, client *http.Client, proto, accept string) (body string, h http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "PUT", "http://app.example/a%2Fb//c?x=1;y", struct{ io.Reader }{strings.NewReader("12345")})
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{
		"Authorization": {"Bearer " + secret}, "X-Remote-User": {"jane"}, "X-Remote-Group": {"a", "b"},
		"X_remote_user": {"forged"}, "X-Forwarded-For": {"192.0.2.1"}, "Accept": {accept}, "Cookie": {"c"},
	}
	req.Trailer = http.Header{"Checksum": {"xyz"}}
	if proto == "HTTP/1.1" { // net/http refuses it in HTTP/2
		req.Trailer["Authorization"] = []string{secret}
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(data), resp.Header
}

func TestEchoText(t *testing.T) {
	for proto, client := range echoing(t, loopbackListener(t)) {
		got, h := ask(t, client, proto, "*/*")
		want := "PUT /a%2Fb//c?x=1;y " + proto + `
Host: app.example
X-Remote-Group: a
X-Remote-Group: b
X-Remote-User: jane
X_remote_user: forged
X-Forwarded-For: 192.0.2.1
(Authorization: yes)
(body: 5 bytes)
trailer Authorization: (there, not shown)
trailer Checksum: xyz
`
		if proto != "HTTP/1.1" {
			want = strings.Replace(want, "trailer Authorization: (there, not shown)\n", "", 1)
		}
		if got != want {
			t.Errorf("%s:\n%s\nwant\n%s", proto, got, want)
		}
		if strings.Contains(got, secret) || h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %s %v", proto, got, h)
		}
	}
}

func TestEchoJSON(t *testing.T) {
	for proto, client := range echoing(t, loopbackListener(t)) {
		body, h := ask(t, client, proto, "application/json")
		var got seen
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		if got.Target != "/a%2Fb//c?x=1;y" || got.Proto != proto || !got.Authorization || got.BodyBytes != 5 ||
			got.Identity.Get("X-Remote-User") != "jane" || got.Trailers.Get("Checksum") != "xyz" {
			t.Errorf("%s: %s", proto, body)
		}
		if strings.Contains(body, secret) || h.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %v %s", proto, h, body)
		}
	}
}

func TestEchoOnASocket(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "app"))
	if err != nil {
		t.Fatal(err)
	}
	for proto, client := range echoing(t, l) {
		resp, err := client.Get("http://app/healthz")
		if err != nil {
			t.Fatal(proto, err)
		}
		data, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 200 || string(data) != "ok\n" {
			t.Errorf("%s: %d %s", proto, resp.StatusCode, data)
		}
	}
}

// TestEchoWithoutToken: what did not come is not told.
func TestEchoWithoutToken(t *testing.T) {
	client := echoing(t, loopbackListener(t))["HTTP/1.1"]
	resp, err := client.Get("http://app/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if want := "GET / HTTP/1.1\nHost: app\n(Authorization: no)\n(body: 0 bytes)\n"; err != nil || string(data) != want {
		t.Errorf("%v\n%s", err, data)
	}
}

// TestEchoCommand runs the command itself, asks it, and ends it.
func TestEchoCommand(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	socket := filepath.Join(t.TempDir(), "app")
	code := make(chan int)
	go func() {
		code <- run(ctx, commands, []string{"echo", "--listen=unix://" + socket}, streams{out: io.Discard, err: io.Discard})
	}()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (conn net.Conn, err error) {
		for range 500 { // it is up within 5 s, or never
			if conn, err = (&net.Dialer{}).DialContext(ctx, "unix", socket); err == nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		return conn, err
	}}
	resp, err := (&http.Client{Transport: transport}).Get("http://app/healthz")
	if err != nil {
		t.Error(err)
	} else {
		resp.Body.Close()
	}
	cancel()
	if got := <-code; got != 0 {
		t.Errorf("exit %d", got)
	}
}
