package proxy

import (
	"context"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"sallyport/internal/authn"
)

// printable is a value that nobody changes on its way (RFC 9110 section 5.5),
// UTF-8 without control characters and spaces around it.
var printable = regexp.MustCompile(`^(\pL|\pN|\pP|\pS)([\pL\pN\pP\pS ]*(\pL|\pN|\pP|\pS))?$|^$`)

func isPrintable(values ...string) bool {
	return !slices.ContainsFunc(values, func(v string) bool { return !printable.MatchString(v) })
}

// The app sees the identity as it is, or nobody: whatever characters it has, and
// whatever one header the caller adds.
func FuzzIdentity(f *testing.F) {
	f.Add("system:serviceaccount:shop:cart", "u-1", "a", "b", "authentication.kubernetes.io/pod-name", "cart-0", "X-Remote-User", "root")
	f.Add("j\u00fcrgen, d.", "", "a,b", "", "a%b/c:\u00e4\r\n", "", "X_Remote_Extra_A%25b", "root")
	w := newWire(f)
	f.Fuzz(func(t *testing.T, subject, uid, group1, group2, key, value, name, sent string) {
		id := authn.Identity{Subject: subject, UID: uid, Groups: []string{group1, group2}, Extra: map[string][]string{key: {value}}}
		if strings.ContainsAny(name+sent, "\n") || name == "" || len(name+sent) > 4<<10 {
			return // more headers than one
		}
		if err := w.use(Options{Authenticator: identityOf(id)}); err != nil {
			t.Fatal(err)
		}
		_, got := w.ask(t, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer x\r\n"+name+": "+sent+"\r\n\r\n")
		if len(got) == 0 {
			// Some headers are a reason to refuse the request; this one is not.
			if name == "X-Remote-User" && subject != "" && key != "" && isPrintable(subject, uid, group1, group2, value, sent) {
				t.Errorf("%+v, and %q does not arrive", id, sent)
			}
			return
		}
		said := claimsOf(got[0])
		for name, want := range map[string][]string{"user": {subject}, "uid": {uid}, "group": {group1, group2}, "extra_" + lower(key): {value}} {
			if !strings.HasPrefix(name, "extra_") {
				want = slices.DeleteFunc(want, func(v string) bool { return v == "" })
			}
			if !slices.Equal(said[name], want) {
				t.Errorf("%+v, and %q: %q arrives with %s %q", id, name, sent, name, said[name])
			}
			delete(said, name)
		}
		if len(said) > 0 || len(got) > 1 {
			t.Errorf("%+v, and %q: %q arrives with %q", id, name, sent, got)
		}
	})
}

// claimsOf returns what a head says about the caller, as a CGI program reads it
// (RFC 3875 section 4.1.18), and extra keys as Kubernetes does.
func claimsOf(head string) map[string][]string {
	claims := map[string][]string{}
	for _, line := range strings.Split(strings.TrimSuffix(head, "\r\n\r\n"), "\r\n")[1:] {
		name, value, _ := strings.Cut(line, ": ")
		name = lower(name)
		if key, ok := strings.CutPrefix(name, "x-remote-extra-"); ok {
			claims["extra_"+lower(decode(key))] = append(claims["extra_"+lower(decode(key))], value)
			continue
		}
		name = strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
				return r
			}
			return '_'
		}, name)
		if what, ok := strings.CutPrefix(name, "x_remote_"); ok {
			claims[what] = append(claims[what], value)
		}
		if strings.HasPrefix(name, "impersonate_") || strings.HasPrefix(name, "x_forwarded_user") || strings.HasPrefix(name, "x_forwarded_group") {
			claims[name] = append(claims[name], value)
		}
	}
	return claims
}

// lower is ASCII's alone: header names know no other letters.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] += 'a' - 'A'
		}
	}
	return string(b)
}

// What is made of an identity is made once for all requests with its decision, by
// each gate for itself; and no other identity gets it.
func TestMemo(t *testing.T) {
	made := func(user string) authn.Identity {
		return authn.Identity{Subject: user, Groups: []string{user + "s"}, Extra: map[string][]string{"a/b": {user}}, Memo: new(atomic.Value)}
	}
	ann, bob := made("ann"), made("bob")
	now := &ann
	who := authn.Func(func(context.Context, string) (authn.Identity, error) { return *now, nil })
	one, other := gate(t, report, Options{Authenticator: who}), gate(t, report, Options{Authenticator: who, Headers: HeaderNames{User: "X-Who"}})
	for range 3 {
		for _, now = range []*authn.Identity{&ann, &bob} {
			user := now.Subject
			for _, r := range []struct {
				*rig
				name string
			}{{one, "X-Remote-User"}, {other, "X-Who"}} {
				got := claimsIn(r.headers(t, get("/")))
				want := http.Header{r.name: {user}, "X-Remote-Group": {user + "s"}, "X-Remote-Extra-A%2fb": {user}}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("%v, want %v", got, want)
				}
			}
		}
	}
	gate := ann.Memo.Load().(*memo).by
	if n := testing.AllocsPerRun(10, func() {
		if _, err := gate.memoOf(&ann); err != nil {
			t.Error(err)
		}
	}); n > 0 {
		t.Errorf("made again: %v allocations", n)
	}
}
