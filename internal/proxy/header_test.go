package proxy

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"sallyport/internal/authn"
)

// report is an app that answers with the headers and trailers it got.
func report(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	h := r.Header.Clone()
	for name, values := range r.Trailer {
		h["Trailer:"+name] = values
	}
	h["Host"] = []string{r.Host}
	json.NewEncoder(w).Encode(h)
}

// headers returns what the app got of a request.
func (r *rig) headers(t *testing.T, request string) http.Header {
	t.Helper()
	res := r.raw(t, request)
	var h http.Header
	if err := json.NewDecoder(res.Body).Decode(&h); err != nil || res.StatusCode != 200 {
		t.Fatalf("%.80q: %d, %v", request, res.StatusCode, err)
	}
	return h
}

var wantIdentity = http.Header{
	"X-Remote-User":  {"system:serviceaccount:shop:alice"},
	"X-Remote-Group": {"system:serviceaccounts", "system:authenticated"},
	"X-Remote-Uid":   {"u-1"},
	"X-Remote-Extra-Authentication.kubernetes.io%2fpod-Name": {"cart-0"},
}

// claimsIn returns those headers of h by which an app could know a caller.
func claimsIn(h http.Header) http.Header {
	found := http.Header{}
	for name, values := range h {
		bare := strings.TrimPrefix(strings.ToLower(name), "trailer:")
		bare = strings.NewReplacer("_", "-", ".", "-").Replace(bare)
		for _, p := range []string{"x-remote-", "impersonate-", "x-forwarded-user", "x-forwarded-group", "x-forwarded-email", "x-forwarded-preferred", "x-who"} {
			if strings.HasPrefix(bare, p) {
				found[name] = values
			}
		}
	}
	return found
}

// spellings of one identity header.
func spellings(name string) []string {
	s := []string{
		name, strings.ToLower(name), strings.ToUpper(name), strings.ReplaceAll(name, "-", "_"),
		strings.ToLower(strings.ReplaceAll(name, "-", "_")), strings.Replace(name, "-", "_", 1),
		strings.ReplaceAll(name, "-", "."), strings.ToUpper(strings.Replace(name, "-", "_", 2)),
	}
	if i := strings.LastIndexByte(name, '-'); i > 0 {
		s = append(s, name[:i]+"_"+name[i+1:])
	}
	return s
}

var forgeable = []string{
	"X-Remote-User", "X-Remote-Group", "X-Remote-Uid", "X-Remote-Extra-Scopes", "X-Remote-Anything",
	"Impersonate-User", "Impersonate-Group", "Impersonate-Uid", "Impersonate-Extra-Scopes",
	"X-Forwarded-User", "X-Forwarded-Group", "X-Forwarded-Groups", "X-Forwarded-Email", "X-Forwarded-Preferred-Username",
}

func TestForgedIdentity(t *testing.T) {
	trusted := Options{
		Routes:       []Route{{Path: "/public/*", Public: true}},
		TrustedPeers: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	}
	untrusted := Options{Routes: trusted.Routes}
	for who, o := range map[string]Options{"trusted peer": trusted, "anybody": untrusted} {
		r := gate(t, report, o)
		for _, name := range forgeable {
			var forged []string
			for _, spelling := range spellings(name) {
				forged = append(forged, spelling+": root")
			}
			named := "Connection: " + strings.Join(spellings(name), ", ")
			for _, sent := range [][]string{
				forged, slices.Concat(forged, forged), append(slices.Clone(forged), named),
				append(slices.Clone(forged), "Connection:", "Connection: close, "+name),
			} {
				if got := claimsIn(r.headers(t, get("/", sent...))); !maps.EqualFunc(got, wantIdentity, slices.Equal) {
					t.Errorf("%s, %v: app saw %v", who, sent, got)
				}
				if got := claimsIn(r.headers(t, get("/public/", append(sent, "-")...))); len(got) > 0 {
					t.Errorf("%s, %v on a public path: app saw %v", who, sent, got)
				}
			}
		}
	}
}

func TestForgedTrailers(t *testing.T) {
	r := gate(t, report, Options{Headers: HeaderNames{User: "X-Who"}})
	names := append(slices.Clone(forgeable), "X-Who", "Authorization", "Cookie", "X-Forwarded-For", "X-Forwarded-Uri", "X-Original-Url", "X-Real-Ip", "Forwarded")
	for _, name := range names {
		for _, spelling := range spellings(name) {
			for _, announce := range []string{"Trailer: " + spelling + ", X-Sum", "X-Nothing: x"} {
				h := r.headers(t, strings.Replace(get("/", "Transfer-Encoding: chunked", announce), "GET", "POST", 1)+
					"3\r\nabc\r\n0\r\n"+spelling+": root\r\nX-Sum: 7\r\n\r\n")
				if got := h["Trailer:X-Sum"]; !slices.Equal(got, []string{"7"}) {
					t.Fatalf("good trailer: %v", got)
				}
				for n := range h {
					if n != "Trailer:X-Sum" && strings.HasPrefix(n, "Trailer:") {
						t.Errorf("%s, %s: app saw %s: %v", announce, spelling, n, h[n])
					}
				}
			}
		}
	}
}

// Whatever Connection names, ours arrive.
func TestConnectionNamesOurs(t *testing.T) {
	r := gate(t, report, Options{})
	for name := range wantIdentity {
		for _, c := range []string{name, strings.ToLower(name), "close, " + name, name + ", X-Forwarded-For, X-Real-Ip"} {
			h := r.headers(t, get("/", "Connection: "+c))
			if got := claimsIn(h); !maps.EqualFunc(got, wantIdentity, slices.Equal) {
				t.Errorf("Connection: %s: app saw %v", c, got)
			}
			if h.Get("X-Forwarded-For") != "127.0.0.1" || h.Get("X-Real-Ip") != "127.0.0.1" {
				t.Errorf("Connection: %s: app saw %v", c, h)
			}
		}
	}
}

func TestOwnNames(t *testing.T) {
	r := gate(t, report, Options{Headers: HeaderNames{User: "x-who", Group: "X-Who-Group", UID: "X-Who-Uid", ExtraPrefix: "X-Whoextra-"}})
	h := r.headers(t, get("/", "X_Who: root", "x-who-GROUP: root", "X-Whoextra_Scopes: all", "X-Remote-User: root"))
	got := claimsIn(h)
	want := http.Header{
		"X-Who": {alice.Subject}, "X-Who-Group": alice.Groups, "X-Who-Uid": {alice.UID},
		"X-Whoextra-Authentication.kubernetes.io%2fpod-Name": {"cart-0"},
	}
	if !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("app saw %v, want %v", got, want)
	}
}

func TestIdentityValues(t *testing.T) {
	with := func(change func(*authn.Identity)) authn.Identity {
		id := authn.Identity{Subject: "s"}
		change(&id)
		return id
	}
	for _, bad := range []string{"a\r\nX-Remote-User: root", "a\nb", "a\x00", "a\x7f", " root", "root ", "\troot", "root\u00a0"} {
		for where, id := range map[string]authn.Identity{
			"subject": with(func(id *authn.Identity) { id.Subject = bad }),
			"uid":     with(func(id *authn.Identity) { id.UID = bad }),
			"group":   with(func(id *authn.Identity) { id.Groups = []string{"a", bad} }),
			"extra":   with(func(id *authn.Identity) { id.Extra = map[string][]string{"k": {bad}} }),
		} {
			r := gate(t, echo, Options{Authenticator: identityOf(id)})
			if res := r.raw(t, get("/")); res.StatusCode != 401 || r.last(t, 1).reason != authn.Claims {
				t.Errorf("%s %q: %d %v", where, bad, res.StatusCode, r.last(t, 1))
			}
		}
	}
	r := gate(t, report, Options{Authenticator: identityOf(with(func(id *authn.Identity) {
		id.Subject, id.Groups = "jürgen, d.", []string{"", "a,b", "a b"}
		id.Extra = map[string][]string{"a%b/c:ä\r\n": {"1", ""}}
	}))})
	h := r.headers(t, get("/"))
	if h.Get("X-Remote-User") != "jürgen, d." || !slices.Equal(h["X-Remote-Group"], []string{"a,b", "a b"}) || h["X-Remote-Uid"] != nil ||
		!slices.Equal(h["X-Remote-Extra-A%25b%2fc%3a%c3%a4%0d%0a"], []string{"1", ""}) {
		t.Errorf("app saw %v", claimsIn(h))
	}
	r = gate(t, echo, Options{Authenticator: identityOf(with(func(id *authn.Identity) { id.Extra = map[string][]string{"": {"x"}} }))})
	if res := r.raw(t, get("/")); res.StatusCode != 401 {
		t.Errorf("an empty extra key: %d", res.StatusCode)
	}
}

func TestAuthorization(t *testing.T) {
	r := gate(t, report, Options{ForwardAuthorization: false, Routes: []Route{
		{Path: "/public/asked", Public: true, ForwardAuthorization: true},
		{Path: "/public/*", Public: true},
		{Path: "/asked", ForwardAuthorization: true},
	}})
	all := gate(t, report, Options{ForwardAuthorization: true, Routes: []Route{{Path: "/public/*", Public: true}, {Path: "/not"}}})
	const bearer, basic = "Bearer " + secret, "Basic YTpi"
	for _, tc := range []struct {
		name string
		r    *rig
		path string
		sent []string
		want []string
	}{
		{"not asked", r, "/", []string{bearer}, nil},
		{"asked", r, "/asked", []string{bearer}, []string{bearer}},
		{"asked for all", all, "/", []string{bearer}, []string{bearer}},
		{"asked for all but here", all, "/not", []string{bearer}, nil},
		{"asked for all, public", all, "/public/", []string{bearer}, nil},
		{"public", r, "/public/", []string{bearer}, nil},
		{"public, bad token", r, "/public/", []string{"Bearer x"}, nil},
		{"public, malformed", r, "/public/", []string{"bEARER"}, nil},
		{"public, tab", r, "/public/", []string{"Bearer\t" + secret}, nil},
		{"public, other scheme", r, "/public/", []string{basic}, []string{basic}},
		{"public, scheme that begins alike", r, "/public/", []string{"BearerX y"}, []string{"BearerX y"}},
		{"public, both", r, "/public/", []string{basic, bearer}, []string{basic}},
		{"public, asked", r, "/public/asked", []string{bearer}, []string{bearer}},
	} {
		headers := []string{"-"}
		for _, s := range tc.sent {
			headers = append(headers, "Authorization: "+s)
		}
		if got := tc.r.headers(t, get(tc.path, headers...))["Authorization"]; !slices.Equal(got, tc.want) {
			t.Errorf("%s: app saw %q, want %q", tc.name, got, tc.want)
		}
	}
	noSecret(t, r, "")
	noSecret(t, all, "")
}

func TestForwarding(t *testing.T) {
	open := gate(t, report, Options{TrustedPeers: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	shut := gate(t, report, Options{TrustedPeers: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	sent := []string{
		"X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 192.0.2.2", "X-Forwarded-Host: a.example", "X-Forwarded-Proto: https",
		"X-Forwarded-Port: 8", "X-Forwarded-Prefix: /x", "X-Forwarded: y", "X-Real-IP: 192.0.2.3", "Forwarded: for=192.0.2.4",
		"X_Forwarded_For: 6.6.6.6", "x_real_ip: 6.6.6.6", "X-Original-URL: /admin", "X_Rewrite_Url: /admin",
	}
	for _, tc := range []struct {
		name string
		r    *rig
		sent []string
		want map[string]string
	}{
		{"anybody, nothing sent", shut, nil, map[string]string{"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "shop.example", "X-Forwarded-Proto": "http", "X-Real-Ip": "127.0.0.1"}},
		{"anybody", shut, sent, map[string]string{"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "shop.example", "X-Forwarded-Proto": "http", "X-Real-Ip": "127.0.0.1"}},
		{"trusted, nothing sent", open, nil, map[string]string{"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "shop.example", "X-Forwarded-Proto": "http", "X-Real-Ip": "127.0.0.1"}},
		{"trusted", open, sent, map[string]string{
			"X-Forwarded-For": "192.0.2.1, 192.0.2.2, 127.0.0.1", "X-Forwarded-Host": "a.example", "X-Forwarded-Proto": "https",
			"X-Forwarded-Port": "8", "X-Forwarded-Prefix": "/x", "X-Forwarded": "y", "X-Real-Ip": "192.0.2.3",
			"X-Original-Url": "/admin", "Forwarded": `for=192.0.2.4, for=127.0.0.1;host="shop.example";proto=http`,
		}},
	} {
		got := map[string]string{}
		for name, values := range tc.r.headers(t, get("/", tc.sent...)) {
			if forwardingNames.has(name) {
				got[name] = strings.Join(values, "|")
			}
		}
		if !maps.Equal(got, tc.want) {
			t.Errorf("%s: app saw %v\nwant %v", tc.name, got, tc.want)
		}
	}
	if got, want := forwardedElement(netip.MustParseAddr("2001:db8::1"), `a"\`, "https"), `for="[2001:db8::1]";host="a\"\\";proto=https`; got != want {
		t.Errorf("= %s, want %s", got, want)
	}
}

func TestTrusts(t *testing.T) {
	p := &proxy{trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fe80::/10")}}
	for addr, want := range map[string]bool{
		"10.1.2.3:1": true, "11.1.2.3:1": false, "[::ffff:10.1.2.3]:1": true, "[fe80::1%eth0]:1": true, "@": false, "": false,
	} {
		if got := p.trusts(peerOf(&http.Request{RemoteAddr: addr})); got != want {
			t.Errorf("%q: %v", addr, got)
		}
	}
}

func TestOtherHeaders(t *testing.T) {
	r := gate(t, report, Options{Routes: []Route{{Path: "/public", Public: true}}})
	const token = socketToken + "Zm9v"
	for _, tc := range []struct {
		sent string
		name string
		want []string
	}{
		{"Sec-WebSocket-Protocol: " + token, "Sec-Websocket-Protocol", nil},
		{"Sec-WebSocket-Protocol: " + token + ", v1", "Sec-Websocket-Protocol", []string{"v1"}},
		{"Sec-WebSocket-Protocol: v1 ,  " + strings.ToUpper(token) + ",v2", "Sec-Websocket-Protocol", []string{"v1, v2"}},
		{"Sec-WebSocket-Protocol: " + token + "\r\nSec-WebSocket-Protocol: v3", "Sec-Websocket-Protocol", []string{"v3"}},
		{"Sec-WebSocket-Protocol: a,b", "Sec-Websocket-Protocol", []string{"a,b"}},
		{"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA", "Http2-Settings", nil},
		{"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x", "Upgrade", nil},
		{"Connection: Upgrade\r\nUpgrade: h2c", "Connection", nil},
		{"Connection: Upgrade\r\nUpgrade: TLS/1.0", "Upgrade", nil},
		{"Connection: Upgrade\r\nUpgrade: websocket, h2c", "Upgrade", nil},
		{"Connection: Upgrade\r\nUpgrade: websocket", "Upgrade", []string{"websocket"}},
		{"Connection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket", "Upgrade", nil},
		{"Upgrade: websocket", "Upgrade", nil},
		{"Connection: Upgrade\r\nUpgrade: web\tsocket", "Upgrade", nil},
		{"Proxy: http://evil.example", "Proxy", nil},
		{"Transfer_Encoding: chunked", "Transfer_encoding", nil},
		{"content.length: 7", "Content.length", nil},
		{"Proxy-Authorization: Basic x", "Proxy-Authorization", nil},
		{"Te: trailers", "Te", []string{"trailers"}},
		{"Te: gzip", "Te", nil},
		{"Accept-Encoding: br", "Accept-Encoding", []string{"br"}},
		{"Connection: close, x-a ,X-B\r\nX-A: a", "X-A", nil},
		{"Connection: keep-alive\r\nConnection: x-a\r\nX-A: a", "X-A", nil},
		{"Connection: te\r\nTe: trailers", "Te", []string{"trailers"}},
		{"X-None: x", "Accept-Encoding", nil},
		{"X-None: x", "User-Agent", nil},
		{"X-None: x", "Host", []string{"shop.example"}},
		{"X-Http-Method-Override: PUT", "X-Http-Method-Override", []string{"PUT"}},
	} {
		if got := r.headers(t, get("/", tc.sent))[tc.name]; !slices.Equal(got, tc.want) {
			t.Errorf("%q: app saw %s: %q, want %q", tc.sent, tc.name, got, tc.want)
		}
	}
	if got := r.headers(t, get("/public", "X-HTTP_Method-Override: DELETE", "-")); len(got["X-Http_method-Override"]) > 0 {
		t.Errorf("on a public path the app saw %v", got)
	}
}

func FuzzRemoveClaims(f *testing.F) {
	for _, n := range forgeable {
		for _, s := range spellings(n) {
			f.Add(s)
		}
	}
	f.Add("X-Request-Id")
	names, _ := HeaderNames{}.complete()
	claims := claimNames(names)
	f.Fuzz(func(t *testing.T, name string) {
		h := http.Header{}
		h.Add(name, "root")
		claims.removeFrom(h)
		// The environment of a CGI program, by RFC 3875 and by stricter hands.
		env := strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
				return r
			}
			return '_'
		}, strings.ToLower(name))
		dangerous := strings.HasPrefix(env, "x_remote_") || strings.HasPrefix(env, "impersonate_") ||
			slices.Contains([]string{"x_forwarded_user", "x_forwarded_group", "x_forwarded_groups", "x_forwarded_email", "x_forwarded_preferred_username"}, env)
		if isASCII(name) && dangerous != (len(h) == 0) {
			t.Errorf("%q: removed %v, dangerous %v", name, len(h) == 0, dangerous)
		}
	})
}

func isASCII(s string) bool { return strings.IndexFunc(s, func(r rune) bool { return r > 0x7e }) < 0 }

func TestIsWebSocket(t *testing.T) {
	for _, tc := range []struct {
		upgrade, connection []string
		want                bool
	}{
		{[]string{"websocket"}, []string{"Upgrade"}, true},
		{[]string{"WebSocket"}, []string{"keep-alive, upgrade"}, true},
		{[]string{"websocket", "h2c"}, []string{"Upgrade"}, false},
		{[]string{"websocket, h2c"}, []string{"Upgrade"}, false},
		{[]string{"websocket"}, nil, false},
		{nil, []string{"Upgrade"}, false},
	} {
		if got := isWebSocket(http.Header{"Upgrade": tc.upgrade, "Connection": tc.connection}); got != tc.want {
			t.Errorf("%v, %v: %v", tc.upgrade, tc.connection, got)
		}
	}
}

func TestIsPlain(t *testing.T) {
	for name, want := range map[string]bool{"X-Real-Ip": true, "X_Real-Ip": false, "X.Real": false, "Xä": false, "X9": true, "X~": false} {
		if got := isPlain(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestEscapeKey(t *testing.T) {
	for key, want := range map[string]string{"a.b/c": "a.b%2Fc", "a%b": "a%25b", "a b": "a%20b", "ä": "%C3%A4", "a-b_c~": "a-b_c~"} {
		if got := escapeKey(key); got != want {
			t.Errorf("%q: %s, want %s", key, got, want)
		}
	}
}

// A trusted peer is believed about where a request comes from. It need not know
// of the headers that some apps take for the path, and hands on what it got: on
// a public path they would open every other.
func TestTrustedPeerCannotMoveAPublicPath(t *testing.T) {
	r := gate(t, report, Options{
		Routes:       []Route{{Path: "/public/*", Public: true}},
		TrustedPeers: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	})
	for _, name := range []string{"X-Original-Url", "X-Original-Uri", "X-Rewrite-Url", "X-Forwarded-Uri", "X-Forwarded-Path"} {
		h := r.headers(t, "GET /public/x HTTP/1.1\r\nHost: a\r\n"+name+": /admin\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n")
		if h[name] != nil {
			t.Errorf("%s reached the app: %q", name, h[name])
		}
		if got := h.Get("X-Forwarded-For"); got != "192.0.2.1, 127.0.0.1" {
			t.Errorf("X-Forwarded-For %q", got)
		}
	}
}
