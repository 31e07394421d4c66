package proxy

import (
	"net/http"
	"slices"
	"strings"
	"sync"

	"golang.org/x/net/http/httpguts"

	"sallyport/internal/authn"
)

// CheckIdentity refuses an identity that no header could tell the app without
// changing it. It must come before forwarding: the transport would refuse such
// a header too, but that would look like a broken app. The handler does it by
// itself.
func CheckIdentity(id authn.Identity) error {
	if id.Subject == "" {
		return &failure{reason: authn.Internal, detail: "an identity without a subject"}
	}
	if !isFaithful(id.Subject) || !isFaithful(id.UID) {
		return authn.Refuse(authn.Claims, "the subject or uid is no header value")
	}
	for _, g := range id.Groups {
		if !isFaithful(g) {
			return authn.Refuse(authn.Claims, "a group is no header value")
		}
	}
	for key, values := range id.Extra {
		if key == "" {
			return authn.Refuse(authn.Claims, "an extra key is empty")
		}
		for _, v := range values {
			if !isFaithful(v) {
				return authn.Refuse(authn.Claims, "a value of extra is no header value")
			}
		}
	}
	return nil
}

// isFaithful reports whether v arrives as it is. White space around a value is
// lost on the way (RFC 9110 section 5.5), which would make " admin" admin.
func isFaithful(v string) bool {
	return httpguts.ValidHeaderFieldValue(v) && strings.TrimSpace(v) == v
}

// A claim is one header of those that tell the app who is calling. Its values are
// shared by requests, and never changed.
type claim struct {
	name   string
	values []string
}

// A memo is what [authn.Identity.Memo] keeps: the claims, by the gate that made
// them, and what the token says of its life.
type memo struct {
	by     *proxy
	claims []claim
	token  authn.Token // one for all requests, and whoever is told of them
}

// memoOf returns what is made of an identity: the headers that tell the app who is
// calling. It is made once for a decision that is remembered.
func (p *proxy) memoOf(id *authn.Identity) (*memo, error) {
	if id.Memo != nil {
		if m, _ := id.Memo.Load().(*memo); m != nil && m.by == p {
			return m, nil
		}
	}
	if err := CheckIdentity(*id); err != nil {
		return nil, err
	}
	m := &memo{p, p.names.claims(id), id.Token}
	if id.Memo != nil {
		id.Memo.Store(m)
	}
	return m, nil
}

// maxKeys is how many extra keys a claimNamer knows the names of. Kubernetes has
// five; others come from the configuration.
const maxKeys = 64

// A claimNamer makes claims, and has one copy of each name for all of them.
type claimNamer struct {
	HeaderNames
	mu    sync.Mutex
	extra map[string]string // by the key
}

// claims are as Kubernetes' front proxies write them (client-go,
// transport/round_trippers.go, SetAuthProxyHeaders). An empty group or uid says
// nothing and is left out.
func (n *claimNamer) claims(id *authn.Identity) []claim {
	list := make([]claim, 0, 3+len(id.Extra))
	list = append(list, claim{n.User, []string{id.Subject}})
	if id.UID != "" {
		list = append(list, claim{n.UID, []string{id.UID}})
	}
	groups := id.Groups
	if slices.Contains(groups, "") {
		groups = slices.DeleteFunc(slices.Clone(groups), func(g string) bool { return g == "" })
	}
	if len(groups) > 0 {
		list = append(list, claim{n.Group, slices.Clip(groups)})
	}
	for key, values := range id.Extra {
		if len(values) > 0 {
			list = n.add(list, n.extraName(key), values)
		}
	}
	return list
}

// add appends a claim of extra. Two keys may become one name.
func (n *claimNamer) add(list []claim, name string, values []string) []claim {
	for i, c := range list {
		if c.name == name {
			list[i].values = slices.Concat(c.values, values)
			return list
		}
	}
	return append(list, claim{name, slices.Clip(values)})
}

func (n *claimNamer) extraName(key string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	name, ok := n.extra[key]
	if !ok {
		name = http.CanonicalHeaderKey(n.ExtraPrefix + escapeKey(key))
		if len(n.extra) < maxKeys {
			n.extra[strings.Clone(key)] = name
		}
	}
	return name
}

// escapeKey makes a header name of a key: every byte that a name cannot have is
// percent-encoded, and the percent sign itself.
func escapeKey(key string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(key) {
		if c := key[i]; c != '%' && c < 0x80 && httpguts.IsTokenRune(rune(c)) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}
