package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// byReverseProxy is the gate without carry.
func byReverseProxy(h http.Handler) http.Handler {
	p := h.(*proxy)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := &exchange{in: r, out: w.Header(), peer: peerOf(r), code: http.StatusOK, begun: time.Now()}
		defer p.finish(w, x)
		ctx := context.WithValue(r.Context(), exchangeKey{}, x)
		d, _ := p.find(r, x)
		x.route = d.route
		if _, err := d.admit(ctx, r, x); err != nil {
			p.fail(w, x, err)
			return
		}
		keepUpgrade(r)
		p.forward.ServeHTTP(informing{w, r}, r.WithContext(ctx))
	})
}

// A side is one of two gates, with an app of its own that answers with bytes.
type side struct {
	addr string
	got  chan string
	idle func() // closes connections to the app, which it closes too
}

func newSide(t *testing.T, answer func() string, wrap func(http.Handler) http.Handler) *side {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &side{got: make(chan string, 16)}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				var head strings.Builder
				for br := bufio.NewReader(c); !strings.HasSuffix(head.String(), "\r\n\r\n"); {
					line, err := br.ReadString('\n')
					if err != nil {
						return
					}
					head.WriteString(line)
				}
				s.got <- head.String()
				io.WriteString(c, answer())
			}()
		}
	}()
	transport, err := NewTransport(UpstreamOptions{URL: &url.URL{Scheme: "http", Host: l.Addr().String()}})
	if err != nil {
		t.Fatal(err)
	}
	routes := []Route{{Path: "/public/*", Public: true}, {Path: "/with/*", ForwardAuthorization: true}}
	h, err := New(Options{Authenticator: admitSecret, Target: transport.Target(), Transport: transport, Routes: routes})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(wrap(h))
	server.Config.ErrorLog = quiet
	server.Start()
	t.Cleanup(func() {
		l.Close()
		server.Close()
		transport.CloseIdleConnections()
	})
	s.addr, s.idle = server.Listener.Addr().String(), transport.CloseIdleConnections
	return s
}

// ask returns all that the caller gets and the app got, in an order of its own.
func (s *side) ask(t *testing.T, request string) (answer, got []string) {
	s.idle()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	io.WriteString(c, request)
	method, _, _ := strings.Cut(request, " ")
	for br := bufio.NewReader(c); ; {
		res, err := http.ReadResponse(br, &http.Request{Method: method})
		if err != nil {
			answer = append(answer, "cut", fmt.Sprint("", nil, http.Header(nil)))
			break
		}
		delete(res.Header, "Date")
		if names := res.Header["Trailer"]; len(names) > 0 {
			names[0] = strings.Join(slices.Sorted(strings.SplitSeq(names[0], ", ")), ", ")
		}
		head := fmt.Sprint(res.Status, res.Header, res.ContentLength, res.TransferEncoding, res.Close)
		if res.StatusCode < 200 {
			answer = append(answer, head)
			continue
		}
		body, err := io.ReadAll(res.Body)
		if len(body) == 0 && (err != nil || res.Close && res.ContentLength < 0) {
			// ReverseProxy's header comes before nothing, or not at all: who is first?
			head, err = "cut", nil
		}
		answer = append(answer, head, fmt.Sprint(string(body), err, res.Trailer))
		break
	}
	select {
	case head := <-s.got:
		first, rest, _ := strings.Cut(head, "\r\n")
		got = append([]string{first}, slices.Sorted(strings.SplitSeq(rest, "\r\n"))...)
	default:
	}
	return answer, got
}

// Whatever is asked and answered, who is carried gets what ReverseProxy would bring,
// and the app too.
func TestCarry(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	const hi = "Content-Length: 2\r\n\r\nhi"
	answers := []string{
		ok + hi, ok + "Content-Length: 0\r\n\r\n", ok + "\r\nhi", ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n3\r\n to\r\n0\r\n\r\n",
		ok + "Content-Type: text/html\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\nX-A: \r\nVary: a\r\nvary: b\r\n" + hi,
		ok + "Content-Length: 13\r\n\r\n<script>a</s>", ok + "Date: Tue, 01 Jan 2030 00:00:00 GMT\r\nServer: x\r\n" + hi,
		ok + "Connection: X-A, x-b\r\nX-A: b\r\nX-B: c\r\nX-C: d\r\nKeep-Alive: timeout=5\r\n" + hi,
		ok + "Connection: X-A, close\r\nX-A: b\r\nClose: c\r\n" + hi,
		ok + "Proxy-Authenticate: a\r\nProxy-Authorization: b\r\nProxy-Connection: c\r\nTe: d\r\nUpgrade: websocket\r\n" + hi,
		ok + "Trailer: A, B\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nA: 1\r\nA: 2\r\nB: 3\r\n\r\n",
		ok + "Trailer: A, B\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nA: 1\r\n\r\n",
		ok + "Trailer: A\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
		ok + "Transfer-Encoding: chunked\r\n\r\n0\r\nA: 1\r\nB: 2\r\n\r\n",
		"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nX-A: b\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </b>\r\n\r\n" + ok + "Link: </c>\r\n" + hi,
		"HTTP/1.1 100 Continue\r\n\r\n" + ok + hi, "HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nEtag: a\r\nContent-Length: 9\r\n\r\n",
		"HTTP/1.1 404 Nothing here\r\n" + hi, "HTTP/1.1 599 Odd\r\n" + hi, "HTTP/1.1 999 Odder\r\n" + hi, "HTTP/1.1 099 Odd\r\n" + hi, "HTTP/1.0 200 OK\r\n\r\nhi",
		"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		"HTTP/1.1 401 Unauthorized\r\nWww-Authenticate: Basic\r\n" + hi, "HTTP/1.1 302 Found\r\nLocation: /a\r\n" + hi,
		ok + "Content-Length: 9\r\n\r\nhi", ok + "Transfer-Encoding: chunked\r\n\r\n9\r\nhi", ok + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", "", "nonsense\r\n\r\n", ok + "Content-Le",
		ok + "Content-Length: 300000\r\n\r\n" + strings.Repeat("0123456789", 30000), ok + "Content-Type: text/event-stream\r\n\r\ndata: x\n\n",
		ok + "Bad Name: a\r\nX-B: \x7f\r\n" + hi, ok + "Trailer: Content-Length\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	}
	requests := []string{
		get("/"), get("/a%20b/c?d=e&f;g"), get("/?"), get("/x'y"), get("/public/a", "-"), get("/with/a"),
		strings.Replace(get("/"), "GET", "HEAD", 1), strings.Replace(get("/"), "GET", "POST", 1), strings.Replace(get("/"), "GET", "DELETE", 1),
		strings.Replace(get("/"), "GET", "OPTIONS", 1), strings.Replace(get("/", "Content-Length: 0"), "GET", "PUT", 1), strings.Replace(get("/"), "1.1", "1.0", 1),
		get("/", "Connection: X-A, x-remote-user, Te, keep-alive", "X-A: b", "X-B: c", "Keep-Alive: d", "TE: trailers, deflate", "Trailer: e", "Proxy-Authorization: f"),
		get("/", "X-Remote-User: root", "X_Remote_User: root", "X-Forwarded-For: 1.2.3.4", "Forwarded: for=x", "X-Real-Ip: y", "X-Original-Url: /z", "Proxy: p", "Content_Length: 1"),
		get("/public/a", "X-Http-Method-Override: PUT", "Authorization: Basic YTpi", "Cookie: a=b", "Cookie: c=d"),
		get("/", "Upgrade: h2c, websocket", "Connection: Upgrade, Http2-Settings", "Http2-Settings: x"), get("/", "User-Agent: a", "User-Agent: b", "Accept: c", "accept: d"),
		get("/", "User-Agent:", "Empty:", "Sec-Websocket-Protocol: a, base64url.bearer.authorization.k8s.io.x, b", "Expect: 100-continue"),
		get("/", "Accept: text/event-stream"), get("/", "Content-Type: application/grpc", "TE: trailers"), get("/", "Accept-Encoding: gzip", "Range: bytes=0-1", "If-None-Match: a"),
	}
	var answer string
	sides := [2]*side{}
	for i, wrap := range []func(http.Handler) http.Handler{func(h http.Handler) http.Handler { return h }, byReverseProxy} {
		sides[i] = newSide(t, func() string { return answer }, wrap)
	}
	try := func(request string) {
		t.Helper()
		gotAnswer, gotHead := sides[0].ask(t, request)
		wantAnswer, wantHead := sides[1].ask(t, request)
		if !slices.Equal(gotAnswer, wantAnswer) {
			t.Errorf("%.200q, answered with %.200q, gets\n     %.500q\nwant %.500q", request, answer, gotAnswer, wantAnswer)
		}
		if !slices.Equal(gotHead, wantHead) {
			t.Errorf("%.200q arrives as\n     %q\nwant %q", request, gotHead, wantHead)
		}
	}
	for _, answer = range answers {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			for _, version := range []string{"1.0", "1.1"} {
				try(strings.Replace(strings.Replace(get("/"), "GET", method, 1), "1.1", version, 1))
			}
		}
	}
	answer = answers[0]
	for _, r := range requests {
		try(r)
	}
}

// An interim answer that comes too late is nobody's.
func TestLateInterim(t *testing.T) {
	w := httptest.NewRecorder()
	i := &interim{w: informing{ResponseWriter: w}}
	i.stop()
	if err := i.pass(103, textproto.MIMEHeader{"Link": {"</a>"}}); err != nil || len(w.Header()) > 0 || w.Code != 200 {
		t.Errorf("%v, %d %v", err, w.Code, w.Header())
	}
}
