package proxy

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/internal/authn"
)

// h2 returns a client that speaks HTTP/2 in clear and counts its connections.
func h2(t *testing.T) (*http.Client, *atomic.Int32) {
	var dials atomic.Int32
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	tr := &http.Transport{Protocols: p, DisableCompression: true, DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		dials.Add(1)
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}, &dials
}

func (r *rig) request(t *testing.T, method, path string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+r.addr+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	return req
}

func do(t *testing.T, c *http.Client, req *http.Request) *http.Response {
	t.Helper()
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

const upgradeRequest = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x"

// tunnel agrees to an upgrade and then echoes lines.
func tunnel(protocol string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\nX-User: %s\r\n\r\n", protocol, r.Header.Get("X-Remote-User"))
		rw.Flush()
		for {
			line, err := rw.ReadString('\n')
			if err != nil {
				return
			}
			rw.WriteString("app: " + line)
			rw.Flush()
		}
	}
}

func TestWebSocket(t *testing.T) {
	r := gate(t, tunnel("websocket"), Options{})
	conn, br := r.dial(t, get("/", upgradeRequest))
	res, err := http.ReadResponse(br, nil)
	if err != nil || res.StatusCode != 101 || res.Header.Get("X-User") != alice.Subject {
		t.Fatalf("%v, %v", res, err)
	}
	for _, line := range []string{"one\n", "two\n"} {
		io.WriteString(conn, line)
		if got, err := br.ReadString('\n'); got != "app: "+line {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	if n := r.seen.inFlight.Load(); n != 1 {
		t.Errorf("%d in flight, want the open tunnel", n)
	}
	conn.Close()
	if got := r.last(t, 1); got != (outcome{101, authn.OK}) {
		t.Errorf("counted %v", got)
	}
	if res := r.raw(t, get("/", upgradeRequest, "-")); res.StatusCode != 401 {
		t.Errorf("without a token: %d", res.StatusCode)
	}
}

// CVE-2018-1002105: an upgrade that the app turns down leaves no tunnel: what
// comes next is a request like any other.
func TestFailedUpgrade(t *testing.T) {
	for _, code := range []int{200, 403, 426} {
		r := gate(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(code) }, Options{})
		_, br := r.dial(t, get("/", upgradeRequest)+get("/admin", "-"))
		for i, want := range []int{code, 401} {
			res, err := http.ReadResponse(br, nil)
			if err != nil || res.StatusCode != want {
				t.Fatalf("answer %d to an upgrade that got %d: %v, %v", i, code, res, err)
			}
			io.Copy(io.Discard, res.Body)
		}
	}
}

func TestUnaskedUpgrade(t *testing.T) {
	for name, request := range map[string]string{
		"plain":          get("/"),
		"other protocol": get("/", "Connection: Upgrade\r\nUpgrade: h2c"),
		"not agreed":     get("/", upgradeRequest),
	} {
		r := gate(t, tunnel("h2c"), Options{})
		if res := r.raw(t, request); res.StatusCode != 502 || r.last(t, 1).reason != authn.UpstreamBroken {
			t.Errorf("%s: %d %v", name, res.StatusCode, r.last(t, 1))
		}
	}
}

// Each piece arrives before the app writes the next.
func TestNothingIsBuffered(t *testing.T) {
	for name, head := range map[string]func(h http.Header){
		"event stream": func(h http.Header) { h.Set("Content-Type", "text/event-stream") },
		"chunked":      func(h http.Header) {},
		"known length": func(h http.Header) { h.Set("Content-Length", "6") },
	} {
		next := make(chan bool)
		r := gate(t, func(w http.ResponseWriter, r *http.Request) {
			head(w.Header())
			for range 3 {
				io.WriteString(w, "x\n")
				http.NewResponseController(w).Flush()
				<-next
			}
		}, Options{})
		clients := map[string]*http.Client{"HTTP/1.1": {Transport: &http.Transport{}}}
		clients["HTTP/2"], _ = h2(t)
		for version, c := range clients {
			res := do(t, c, r.request(t, "GET", "/", nil))
			br := bufio.NewReader(res.Body)
			for range 3 {
				if line, err := br.ReadString('\n'); line != "x\n" {
					t.Errorf("%s over %s: %q, %v", name, version, line, err)
				}
				next <- true
			}
			c.CloseIdleConnections()
		}
	}
}

// gRPC over h2c: both directions at once, trailers at the end.
func TestGRPC(t *testing.T) {
	app := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 || r.Header.Get("Te") != "trailers" {
			w.WriteHeader(500)
			return
		}
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		http.NewResponseController(w).Flush()
		buf := make([]byte, 4)
		for {
			if _, err := io.ReadFull(r.Body, buf); err != nil {
				break
			}
			w.Write(buf)
			http.NewResponseController(w).Flush()
		}
		w.Header().Set("Grpc-Status", "0")
		w.Header().Set(http.TrailerPrefix+"Grpc-Message", "fine")
	}))
	app.Config.Protocols = allProtocols()
	app.Start()
	t.Cleanup(app.Close)
	r := gateTo(t, UpstreamOptions{URL: mustURL(t, strings.Replace(app.URL, "http", "h2c", 1)), ResponseHeaderTimeout: time.Nanosecond}, Options{})
	client, _ := h2(t)
	out, in := io.Pipe()
	req := r.request(t, "POST", "/shop.Cart/Watch", out)
	req.Header.Set("Te", "trailers")
	req.Header.Set("Content-Type", "application/grpc+proto")
	res := do(t, client, req)
	for _, message := range []string{"ping", "pong"} {
		io.WriteString(in, message)
		buf := make([]byte, 4)
		if _, err := io.ReadFull(res.Body, buf); string(buf) != message {
			t.Fatalf("got %q, %v; status %d", buf, err, res.StatusCode)
		}
	}
	in.Close()
	io.Copy(io.Discard, res.Body)
	if res.Trailer.Get("Grpc-Status") != "0" || res.Trailer.Get("Grpc-Message") != "fine" {
		t.Errorf("trailers %v", res.Trailer)
	}
}

func TestRequestTrailers(t *testing.T) {
	app := httptest.NewUnstartedServer(http.HandlerFunc(report))
	app.Config.Protocols = allProtocols()
	app.Start()
	t.Cleanup(app.Close)
	overH2, _ := h2(t)
	for _, scheme := range []string{"http", "h2c"} {
		r := gateTo(t, UpstreamOptions{URL: mustURL(t, strings.Replace(app.URL, "http", scheme, 1))}, Options{})
		for version, c := range map[string]*http.Client{"HTTP/1.1": http.DefaultClient, "HTTP/2": overH2} {
			req := r.request(t, "POST", "/", nil)
			req.Trailer = http.Header{"X-Sum": nil, "X-Remote-User": nil, "X_remote_user": nil}
			req.Body = io.NopCloser(&atEOF{Reader: strings.NewReader("body"), do: func() {
				req.Trailer["X-Sum"] = []string{"7", "8"}
				req.Trailer["X-Remote-User"] = []string{"root"}
				req.Trailer["X_remote_user"] = []string{"root"}
			}})
			req.ContentLength = -1
			res := do(t, c, req)
			body, _ := io.ReadAll(res.Body)
			if !strings.Contains(string(body), `"Trailer:X-Sum":["7","8"]`) || strings.Contains(string(body), "root") || strings.Count(string(body), "Trailer:") != 1 {
				t.Errorf("%s to %s: %s", version, scheme, body)
			}
		}
	}
}

type atEOF struct {
	io.Reader
	do func()
}

func (r *atEOF) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err == io.EOF {
		r.do()
	}
	return n, err
}

func TestResponseTrailers(t *testing.T) {
	r := gate(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		io.WriteString(w, "body")
		w.Header().Set("X-Sum", "7")
		w.Header().Set(http.TrailerPrefix+"X-Late", "8")
	}, Options{})
	client, _ := h2(t)
	for version, c := range map[string]*http.Client{"HTTP/1.1": http.DefaultClient, "HTTP/2": client} {
		res := do(t, c, r.request(t, "GET", "/", nil))
		io.Copy(io.Discard, res.Body)
		if res.Trailer.Get("X-Sum") != "7" || res.Trailer.Get("X-Late") != "8" {
			t.Errorf("%s: trailers %v", version, res.Trailer)
		}
	}
}

// What frames a message, routes it, sets cookies or says how an answer is stored is
// in no trailer, announced or not. What gRPC and others say there is.
func TestResponseTrailersFiltered(t *testing.T) {
	good := []string{"Grpc-Status", "Grpc-Message", "Grpc-Status-Details-Bin", "X-Sum", "Server-Timing", "Digest"}
	bad := []string{
		// The first three, announced, are a broken answer to net/http.
		"Content-Length", "Transfer-Encoding", "Trailer", "Content_length", "Connection", "Upgrade", "Host", "Te", "Content-Type", "Content-Encoding",
		"Authorization", "Www-Authenticate", "Proxy-Authenticate", "Set-Cookie", "Cookie", "Location", "Cache-Control", "Expires", "Date", "Retry-After", "Vary",
	}
	app := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		announced := r.URL.Path == "/announced"
		if announced {
			w.Header().Set("Trailer", strings.Join(slices.Concat(good, bad[3:]), ", "))
		}
		io.WriteString(w, "body")
		http.NewResponseController(w).Flush() // in chunks
		for _, name := range slices.Concat(good, bad) {
			w.Header()[http.TrailerPrefix+name] = []string{"trailer"}
			if announced {
				w.Header()[name] = []string{"trailer"}
			}
		}
	}))
	app.Config.Protocols, app.Config.ErrorLog = allProtocols(), quiet
	app.Start()
	t.Cleanup(app.Close)
	overH2, _ := h2(t)
	for _, scheme := range []string{"http", "h2c"} {
		r := gateTo(t, UpstreamOptions{URL: mustURL(t, strings.Replace(app.URL, "http", scheme, 1))}, Options{})
		for version, c := range map[string]*http.Client{"HTTP/1.1": http.DefaultClient, "HTTP/2": overH2} {
			for _, method := range []string{"GET", "POST"} { // POST has a body, and so is ReverseProxy's
				for _, path := range []string{"/", "/announced"} {
					req := r.request(t, method, path, nil)
					if method == "POST" {
						req.Body = io.NopCloser(strings.NewReader("body"))
					}
					res := do(t, c, req)
					body, err := io.ReadAll(res.Body)
					if got := slices.Sorted(maps.Keys(res.Trailer)); string(body) != "body" || err != nil || !slices.Equal(got, slices.Sorted(slices.Values(good))) {
						t.Errorf("%s %s, %s to %s: %q %v, trailers %q", method, path, version, scheme, body, err, got)
					}
				}
			}
		}
	}
}

// The body is asked for only after the gate and the app have agreed to it, and
// 1xx answers of the app arrive.
func TestContinue(t *testing.T) {
	var read atomic.Int32
	r := gate(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/no" {
			w.WriteHeader(417)
			return
		}
		w.Header().Set("Link", "</style.css>")
		w.WriteHeader(http.StatusEarlyHints)
		n, _ := io.Copy(io.Discard, r.Body)
		read.Store(int32(n))
	}, Options{})
	var hints []int
	req := r.request(t, "POST", "/", strings.NewReader("body"))
	req.Header.Set("Expect", "100-continue")
	trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
		hints = append(hints, code)
		return nil
	}}
	c := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: 10 * time.Second}}
	t.Cleanup(c.CloseIdleConnections)
	if res := do(t, c, req.WithContext(httptrace.WithClientTrace(req.Context(), trace))); res.StatusCode != 200 || read.Load() != 4 {
		t.Errorf("status %d, app read %d", res.StatusCode, read.Load())
	}
	slices.Sort(hints)
	if !slices.Equal(hints, []int{100, 103}) {
		t.Errorf("interim answers %v", hints)
	}
	for path, want := range map[string]int{"/no": 417, "/a//b": 400} {
		conn, br := r.dial(t, strings.Replace(get(path, "Expect: 100-continue", "Content-Length: 4"), "GET", "POST", 1))
		refused(t, conn, br, want)
	}
	conn, br := r.dial(t, strings.Replace(get("/", "-", "Expect: 100-continue", "Content-Length: 4"), "GET", "POST", 1))
	refused(t, conn, br, 401)
}

// refused fails t unless the first answer is code, without a 100 before it, and
// a body that comes all the same is not taken for a request.
func refused(t *testing.T, conn net.Conn, br *bufio.Reader, code int) {
	t.Helper()
	res, err := http.ReadResponse(br, nil)
	if err != nil || res.StatusCode != code {
		t.Fatalf("%v, %v; want %d", res, err, code)
	}
	io.Copy(io.Discard, res.Body)
	io.WriteString(conn, get("/smuggled"))
	if res, err := http.ReadResponse(br, nil); err == nil {
		t.Errorf("after %d and an unsent body: %v", code, res)
	}
}

// A refusal leaves a kept-alive connection usable, or closed: never in the
// middle of a body.
func TestRefusalWithBody(t *testing.T) {
	r := gate(t, echo, Options{})
	for _, size := range []int{1, 10_000, 200_000, 1 << 20} {
		smuggled := get("/smuggled")
		body := strings.Repeat("x", size) + smuggled
		conn, br := r.dial(t, "")
		go io.WriteString(conn, fmt.Sprintf("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", len(body), body)+get("/next"))
		if res, err := http.ReadResponse(br, nil); err != nil || res.StatusCode != 401 {
			t.Fatalf("%d bytes: %v %v", size, res, err)
		} else {
			io.Copy(io.Discard, res.Body)
		}
		if res, err := http.ReadResponse(br, nil); err == nil {
			if b, _ := io.ReadAll(res.Body); string(b) != "/next" {
				t.Errorf("%d bytes: the next answer is %d %q", size, res.StatusCode, b)
			}
		}
	}
}

// An app that answers while it reads gets every byte, and so does the caller.
func TestLargeBodies(t *testing.T) {
	const size = 16 << 20
	r := gate(t, func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		h := sha256.New()
		n, _ := io.Copy(io.MultiWriter(w, h), r.Body)
		w.Header().Set(http.TrailerPrefix+"X-Sum", fmt.Sprintf("%d %x", n, h.Sum(nil)))
	}, Options{})
	client, _ := h2(t)
	for version, c := range map[string]*http.Client{"HTTP/1.1": http.DefaultClient, "HTTP/2": client} {
		sent, got := sha256.New(), sha256.New()
		res := do(t, c, r.request(t, "POST", "/", io.TeeReader(io.LimitReader(rand.Reader, size), sent)))
		n, err := io.Copy(got, res.Body)
		want := fmt.Sprintf("%d %x", size, sent.Sum(nil))
		if have := fmt.Sprintf("%d %x", n, got.Sum(nil)); err != nil || have != want || res.Trailer.Get("X-Sum") != want {
			t.Errorf("%s: %v: got %s, app saw %s, sent %s", version, err, have, res.Trailer.Get("X-Sum"), want)
		}
	}
}

// An app that answers and reads no further ends the connection, and not in the
// middle of a body.
func TestEarlyAnswer(t *testing.T) {
	r := gate(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(413) }, Options{})
	conn, br := r.dial(t, "")
	body := strings.Repeat("x", 8<<20) + get("/smuggled")
	go io.WriteString(conn, strings.Replace(get("/", fmt.Sprintf("Content-Length: %d", len(body))), "GET", "POST", 1)+body+get("/next"))
	res, err := http.ReadResponse(br, nil)
	if err != nil || res.StatusCode != 413 {
		t.Fatalf("%v, %v", res, err)
	}
	io.Copy(io.Discard, res.Body)
	if res, err := http.ReadResponse(br, nil); err == nil {
		t.Errorf("the connection goes on with %v", res)
	}
}

// A flood of streams without a good token pays for a connection each time.
func TestHTTP2ConnectionCloses(t *testing.T) {
	r := gate(t, echo, Options{})
	client, dials := h2(t)
	for range 3 {
		res := do(t, client, r.request(t, "GET", "/", nil))
		io.Copy(io.Discard, res.Body)
	}
	if dials.Load() != 1 {
		t.Fatalf("good requests needed %d connections", dials.Load())
	}
	// GOAWAY may come after the next request has gone out, so not each of them
	// has a connection of its own.
	for i := 0; i < 100 && dials.Load() < 3; i++ {
		req := r.request(t, "GET", "/", nil)
		req.Header.Set("Authorization", "Bearer x")
		res, err := client.Do(req)
		if err != nil {
			continue
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if res.StatusCode != 401 || res.Header.Get("Connection") != "" {
			t.Errorf("%d %v", res.StatusCode, res.Header)
		}
	}
	if dials.Load() < 3 {
		t.Errorf("100 refusals used %d connections", dials.Load())
	}
}

// An app may answer before the body is there. What comes of it afterwards is no
// request, and nobody waits for it.
func TestEarlyAnswerToHalfABody(t *testing.T) {
	app := gate(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(413) }, Options{})
	for name, tc := range map[string]struct {
		url  string
		code int
	}{
		"HTTP/1.1":             {rawApp(t, "HTTP/1.1 413 Large\r\nContent-Length: 0\r\n\r\n"), 413},
		"HTTP/2":               {"h2c://" + app.app, 413},
		"an answer of our own": {rawApp(t, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"), 502},
	} {
		for _, framing := range []string{"Content-Length: 100000", "Transfer-Encoding: chunked"} {
			t.Run(name+", "+framing, func(t *testing.T) {
				t.Parallel()
				r := gateTo(t, UpstreamOptions{URL: mustURL(t, tc.url)}, Options{})
				conn, br := r.dial(t, strings.Replace(get("/", framing), "GET", "POST", 1)+"18000\r\nhalf")
				res, err := http.ReadResponse(br, nil)
				if err != nil || res.StatusCode != tc.code {
					t.Fatalf("%v, %v", res, err)
				}
				io.Copy(io.Discard, res.Body)
				io.WriteString(conn, get("/smuggled"))
				conn.SetReadDeadline(time.Now().Add(3 * dropTimeout))
				if res, err := http.ReadResponse(br, nil); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("the connection goes on with %v", res)
				}
			})
		}
	}
}

// An app that has read the body leaves the connection as it is.
func TestKeptAfterABody(t *testing.T) {
	app := gate(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }, Options{})
	for _, scheme := range []string{"http://", "h2c://"} {
		r := gateTo(t, UpstreamOptions{URL: mustURL(t, scheme+app.app)}, Options{})
		conn, br := r.dial(t, "")
		for i := range 50 {
			for _, rest := range []string{"Content-Length: 3\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"} {
				io.WriteString(conn, strings.TrimSuffix(strings.Replace(get("/"), "GET", "POST", 1), "\r\n")+rest)
				res, err := http.ReadResponse(br, nil)
				if err != nil || res.StatusCode != 200 || res.Close {
					t.Fatalf("%s, request %d: %v, %v", scheme, i, res, err)
				}
				io.Copy(io.Discard, res.Body)
			}
		}
	}
}
