package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap/zapcore"

	"sallyport/internal/authn"
)

// rawApp answers every connection with the same bytes, once it has read a
// request's head and the first byte of its body, and then closes it.
func rawApp(t *testing.T, answer string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil && r.ContentLength > 0 {
					r.Body.Read(make([]byte, 1))
				}
				io.WriteString(conn, answer)
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// Who looks at the log learns what was broken, and nothing of what the app said,
// whoever carries the request.
func TestAppFailures(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for _, tc := range []struct {
		name, answer string
		code         int
		detail       string // none: the answer is good
	}{
		{"hangs up", "", 502, "the connection ended before the answer's head did"},
		{"speaks something else", "220 " + secret + " ESMTP\r\n\r\n", 502, "the answer's head: malformed HTTP"},
		{"malformed header", ok + "\"" + secret + "\r\n\r\n", 502, "the answer's head: malformed MIME header"},
		{"malformed value", ok + "X: " + secret + "\x00\r\n\r\n", 502, "the answer's head: malformed MIME header"},
		{"two lengths", ok + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n", 502, "the answer's head: http: message cannot contain multiple Content-Length headers"},
		{"too many headers", ok + "X: " + strings.Repeat("x", maxAnswerHeader+1) + "\r\n\r\n", 502, "the answer's head: "},
		{"status 000", "HTTP/1.1 000 None\r\n\r\n", 502, "a status that does not exist"},
		{"too short", ok + "Content-Length: 100\r\n\r\n" + secret, 200, "the connection ended before the answer's body did"},
		{"not the last chunk", ok + "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", 200, "the connection ended before the answer's body did"},
		{"malformed trailer", ok + "Transfer-Encoding: chunked\r\n\r\n0\r\n" + secret + "\r\n\r\n", 200, "the answer's body: malformed MIME header: missing colon"},
		{"no chunk", ok + "Transfer-Encoding: chunked\r\n\r\n" + secret + "\r\n", 200, "the answer's body: invalid byte in chunk length"},
		{"good", "HTTP/1.1 204 None\r\n\r\n", 204, ""},
	} {
		for _, method := range []string{"GET", "POST"} { // POST has a body, and so is ReverseProxy's
			request := get("/")
			if method == "POST" {
				request = strings.Replace(get("/", "Content-Length: 1"), "GET", "POST", 1) + "x"
			}
			r := gateTo(t, UpstreamOptions{URL: mustURL(t, rawApp(t, tc.answer))}, Options{})
			_, br := r.dial(t, request)
			var body []byte
			if res, err := http.ReadResponse(br, nil); err == nil && res.StatusCode != 200 { // 200 is the app's word, or a cut
				body, _ = io.ReadAll(res.Body)
			}
			want := outcome{tc.code, authn.OK}
			if tc.detail != "" {
				want.reason = authn.UpstreamBroken
			}
			got := r.last(t, 1)
			detail, _ := r.logs.All()[r.logs.Len()-1].ContextMap()["detail"].(string)
			if got != want || !strings.HasPrefix(detail, tc.detail) || (detail == "") != (tc.detail == "") {
				t.Errorf("%s, %s: %v %q", tc.name, method, got, detail)
			}
			noSecret(t, r, string(body))
		}
	}
}

func TestAppAway(t *testing.T) {
	r := gate(t, echo, Options{})
	r.down()
	res := r.raw(t, get("/"))
	if got := r.last(t, 1); res.StatusCode != 502 || got.reason != authn.UpstreamRefused {
		t.Errorf("%d, %v", res.StatusCode, got)
	}
}

// The app dies in the middle of its answer: the caller must see a cut, and not
// an answer that has ended.
func TestAppDiesMidAnswer(t *testing.T) {
	for name, answer := range map[string]string{
		"known length": "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
		"chunked":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
	} {
		r := gateTo(t, UpstreamOptions{URL: mustURL(t, rawApp(t, answer))}, Options{})
		res := r.raw(t, get("/"))
		body, err := io.ReadAll(res.Body)
		if !errors.Is(err, io.ErrUnexpectedEOF) || string(body) != "half" {
			t.Errorf("%s: %q, %v", name, body, err)
		}
		if got := r.last(t, 1); got != (outcome{200, authn.UpstreamBroken}) {
			t.Errorf("%s: %v", name, got)
		}
		client, _ := h2(t)
		res = do(t, client, r.request(t, "GET", "/", nil))
		if _, err := io.ReadAll(res.Body); err == nil {
			t.Errorf("%s over HTTP/2: no cut", name)
		}
	}
}

func TestResponseHeaderTimeout(t *testing.T) {
	t.Parallel()
	const timeout = 500 * time.Millisecond // longer than what a busy machine does at once
	app := gate(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/slow" {
			select {
			case <-time.After(3 * timeout / 2):
			case <-r.Context().Done():
			}
		}
		io.WriteString(w, "done")
	}, Options{Routes: []Route{{Path: "/*", Public: true}}})
	for _, scheme := range []string{"http://", "h2c://"} {
		r := gateTo(t, UpstreamOptions{URL: mustURL(t, scheme+app.addr), ResponseHeaderTimeout: timeout}, Options{})
		for i, tc := range []struct {
			path, header string
			code         int
			reason       authn.Reason
		}{
			{"/slow", "X-None: x", 504, authn.UpstreamTimeout},
			{"/slow", "Accept: text/html, Text/Event-Stream;q=1", 200, authn.OK},
			{"/slow", "Content-Type: application/grpc", 200, authn.OK},
			{"/slow", upgradeRequest, 200, authn.OK},
			{"/fast", "X-None: x", 200, authn.OK},
		} {
			res := r.raw(t, get(tc.path, tc.header))
			io.Copy(io.Discard, res.Body)
			if got := r.last(t, i+1); res.StatusCode != tc.code || got.reason != tc.reason {
				t.Errorf("%s%s, %.30s: %d, %v", scheme, tc.path, tc.header, res.StatusCode, got)
			}
		}
		// An upload may take its time: the wait begins when it has ended.
		slow, in := io.Pipe()
		go func() {
			time.Sleep(3 * timeout / 2)
			io.WriteString(in, "body")
			in.Close()
		}()
		if res := do(t, http.DefaultClient, r.request(t, "POST", "/fast", slow)); res.StatusCode != 200 {
			t.Errorf("%s: slow upload: %d", scheme, res.StatusCode)
		}
	}
}

func TestClientGone(t *testing.T) {
	t.Run("while the token is examined", func(t *testing.T) {
		began := make(chan bool, 1)
		r := gate(t, echo, Options{Authenticator: authn.Func(func(ctx context.Context, _ string) (authn.Identity, error) {
			began <- true
			<-ctx.Done()
			return authn.Identity{}, ctx.Err()
		})})
		conn, _ := r.dial(t, get("/"))
		<-began
		conn.Close()
		wantGone(t, r, 499)
	})
	t.Run("while the app thinks", func(t *testing.T) {
		began := make(chan bool, 1)
		r := gate(t, func(w http.ResponseWriter, r *http.Request) {
			began <- true
			<-r.Context().Done() // the app hears of it
		}, Options{})
		conn, _ := r.dial(t, get("/"))
		<-began
		conn.Close()
		wantGone(t, r, 499)
	})
	t.Run("in the middle of its body", func(t *testing.T) {
		began := make(chan bool, 1)
		r := gate(t, func(w http.ResponseWriter, r *http.Request) {
			began <- true
			io.Copy(io.Discard, r.Body)
		}, Options{})
		conn, _ := r.dial(t, strings.Replace(get("/", "Content-Length: 100"), "GET", "POST", 1)+"half")
		<-began
		conn.Close()
		wantGone(t, r, 499)
	})
	t.Run("in the middle of its body, but listens", func(t *testing.T) {
		began := make(chan bool, 1)
		r := gate(t, func(w http.ResponseWriter, r *http.Request) {
			began <- true
			io.Copy(io.Discard, r.Body)
		}, Options{})
		conn, br := r.dial(t, strings.Replace(get("/", "Content-Length: 100"), "GET", "POST", 1)+"half")
		<-began
		conn.(*net.TCPConn).CloseWrite()
		if res, err := http.ReadResponse(br, nil); err == nil {
			t.Errorf("an answer to half a request: %v", res)
		}
		wantGone(t, r, 499)
	})
	t.Run("in the middle of its body, HTTP/2", func(t *testing.T) {
		began := make(chan bool, 1)
		r := gate(t, func(w http.ResponseWriter, r *http.Request) {
			began <- true
			io.Copy(io.Discard, r.Body)
		}, Options{})
		client, _ := h2(t)
		ctx, cancel := context.WithCancel(t.Context())
		out, in := io.Pipe()
		go func() {
			io.WriteString(in, "half")
			<-began
			cancel()
		}()
		if res, err := client.Do(r.request(t, "POST", "/", out).WithContext(ctx)); err == nil {
			t.Errorf("an answer to half a request: %v", res)
		}
		wantGone(t, r, 499)
	})
	t.Run("in the middle of the answer", func(t *testing.T) {
		r := gate(t, func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				w.Write(make([]byte, 1<<16))
			}
		}, Options{})
		conn, br := r.dial(t, get("/"))
		br.ReadByte()
		conn.Close()
		wantGone(t, r, 200)
	})
}

func wantGone(t *testing.T, r *rig, code int) {
	t.Helper()
	if got := r.last(t, 1); got != (outcome{code, authn.ClientGone}) {
		t.Errorf("counted %v", got)
	}
}

// What breaks the rules of HTTP is refused, and the connection with it.
func TestMalformedRequests(t *testing.T) {
	var reached int
	r := gate(t, func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			reached++
		}
	}, Options{})
	post := func(headers ...string) string { return strings.Replace(get("/", headers...), "GET", "POST", 1) }
	for name, request := range map[string]string{
		"bare LF in a chunk":         post("Transfer-Encoding: chunked") + "3\nabc\r\n0\r\n\r\n",
		"chunk size no number":       post("Transfer-Encoding: chunked") + "x\r\nabc\r\n0\r\n\r\n",
		"chunk too long":             post("Transfer-Encoding: chunked") + "3\r\nabcd\r\n0\r\n\r\n",
		"space before colon":         post("X-A : b"),
		"space before colon, token":  post("-", "Authorization : Bearer "+secret),
		"two lengths":                post("Content-Length: 3", "Content-Length: 4") + "abcd",
		"unknown transfer encoding":  post("Transfer-Encoding: gzip, chunked") + "0\r\n\r\n",
		"two hosts":                  post("Host: other"),
		"bad host":                   "GET / HTTP/1.1\r\nHost: a b\r\nAuthorization: Bearer " + secret + "\r\n\r\n",
		"NUL in a value":             post("X-A: \x00"),
		"bad name":                   post("X A: b"),
		"no slash":                   get("a/b"),
		"space in the target":        get("/a b"),
		"chunked twice":              post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked") + "0\r\n\r\n",
		"trailer without an end":     post("Transfer-Encoding: chunked") + "0\r\nX" + strings.Repeat("x", 9000) + ": y\r\n\r\n",
		"chunked with identity also": post("Transfer-Encoding: identity") + "0\r\n\r\n",
	} {
		conn, br := r.dial(t, request)
		res, err := http.ReadResponse(br, nil)
		if err != nil || res.StatusCode != 400 && res.StatusCode != 501 {
			t.Errorf("%s: %v, %v", name, res, err)
			continue
		}
		io.Copy(io.Discard, res.Body)
		io.WriteString(conn, get("/smuggled"))
		if res, err := http.ReadResponse(br, nil); err == nil && name != "bad host" {
			t.Errorf("%s: the connection goes on with %v", name, res)
		}
	}
	if reached > 0 {
		t.Errorf("the app took %d of them for complete", reached)
	}
	r.seen.ledger.Settle()
	for _, o := range r.seen.outcomes {
		if o.code != 400 {
			t.Errorf("counted %v", o)
		}
	}
}

// Obsolete line folding: RFC 9112 section 5.2 lets a server put a space in its
// place.
func TestFolding(t *testing.T) {
	r := gate(t, report, Options{})
	if h := r.headers(t, get("/", "X-A: b\r\n X-Remote-User: root")); h.Get("X-A") != "b X-Remote-User: root" || h.Get("X-Remote-User") != alice.Subject {
		t.Errorf("app saw %v", h)
	}
}

// Content-Length beside Transfer-Encoding: RFC 9112 section 6.1 lets a server
// take the latter, if the former is not passed on.
func TestLengthAndChunked(t *testing.T) {
	r := gate(t, report, Options{})
	h := r.headers(t, strings.Replace(get("/", "Content-Length: 3", "Transfer-Encoding: chunked"), "GET", "POST", 1)+"0\r\n\r\n")
	if h["Content-Length"] != nil {
		t.Errorf("app saw %v", h)
	}
}

// Once the app's answer is on its way, nothing of ours gets into it.
func TestFailAfterAnswer(t *testing.T) {
	p := &proxy{}
	x := &exchange{in: httptest.NewRequest("GET", "/", nil), code: 101, answered: true}
	w := httptest.NewRecorder()
	p.fail(w, x, &failure{reason: authn.UpstreamBroken})
	if !x.abort || x.code != 101 || x.reason != authn.UpstreamBroken || w.Body.Len() > 0 || len(w.Result().Header) > 0 {
		t.Errorf("%+v, %v", x, w)
	}
}

func TestBodyFailure(t *testing.T) {
	for _, tc := range []struct {
		major  int
		failed bool
		want   authn.Reason
	}{{1, false, ""}, {2, false, ""}, {1, true, authn.Body}, {2, true, authn.ClientGone}} {
		b := &requestBody{in: &http.Request{ProtoMajor: tc.major}}
		b.failed.Store(tc.failed)
		var got authn.Reason
		if f, ok := b.failure().(*failure); ok {
			got = f.reason
		}
		if got != tc.want {
			t.Errorf("HTTP/%d, failed %v: %q, want %q", tc.major, tc.failed, got, tc.want)
		}
	}
}

func TestDescribePanic(t *testing.T) {
	for _, v := range []any{secret, errors.New(secret), []string{secret}, &failure{detail: secret}} {
		if got := describePanic(v); strings.Contains(got, "s3cr3t") {
			t.Errorf("%T: %s", v, got)
		}
	}
}

func TestLog(t *testing.T) {
	r := gate(t, echo, Options{Routes: []Route{{Path: "/public", Public: true}}})
	long := strings.Repeat("/x", 2500)
	part := strings.Repeat("SiGnAtUrE-_0", 8)[:86] // as long as ES256's signature
	for i, tc := range []struct {
		request string
		level   zapcore.Level
		path    string
		reason  string
		subject any
	}{
		{get("/a?" + secret), zapcore.InfoLevel, "/a", "ok", alice.Subject},
		{get("/public?"+secret, "-"), zapcore.InfoLevel, "/public", "public", nil},
		{get("/a", "Authorization: Bearer "+secret+"x"), zapcore.InfoLevel, "/a", "signature", nil},
		{get("/a/../b"), zapcore.InfoLevel, "/a/../b", "path", nil},
		{get(long, "-"), zapcore.InfoLevel, long[:maxLogged] + "...", "missing", nil},
		{get("/a/"+part+"."+part+"/b", "-"), zapcore.InfoLevel, "/a/[...]/b", "missing", nil},
		{get("/a/"+part+"%2e"+part, "-"), zapcore.InfoLevel, "/a/[...]%[...]", "missing", nil},
	} {
		r.raw(t, tc.request)
		r.last(t, i+1)
		entries := r.logs.TakeAll()
		if len(entries) != 1 {
			t.Fatalf("%d lines: %v", len(entries), entries)
		}
		f := entries[0].ContextMap()
		if entries[0].Level != tc.level || f["path"] != tc.path || f["reason"] != tc.reason || f["subject"] != tc.subject || f["method"] != "GET" || f["peer"] != "127.0.0.1" {
			t.Errorf("%.40q: %v %v", tc.request, entries[0].Level, f)
		}
	}
	noSecret(t, r, "")
}

// TestLogNoToken: a token may come as any part of the request line.
func TestLogNoToken(t *testing.T) {
	r := gate(t, echo, Options{})
	part := strings.Repeat("SiGnAtUrE-_0", 8)[:86]
	for i, request := range []string{
		part + " / HTTP/1.1\r\nHost: shop.example\r\n\r\n",
		"GET http://" + part + ":" + part + "@shop.example/" + part + " HTTP/1.1\r\nHost: shop.example\r\n\r\n",
		"GET http://" + part + "/ HTTP/1.1\r\nHost: shop.example\r\n\r\n",
	} {
		r.raw(t, request)
		r.last(t, i+1)
	}
	for _, e := range r.logs.All() {
		if s := fmt.Sprint(e.Message, e.ContextMap()); strings.Contains(s, part) {
			t.Error(s)
		}
	}
}
