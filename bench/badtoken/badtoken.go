// Package badtoken makes tokens that no gate lets in, each unlike the others, so that
// nothing that remembers helps.
package badtoken

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"sallyport/bench/load"
	"sallyport/bench/world"
)

// A Recipe says how tokens are made. It is plain data: another process can make them.
type Recipe struct {
	// Token is what they have in common; empty: there are none.
	Token string
	// Vary is what they do not.
	Vary Part
}

// A Part is one of a token.
type Part string

// The parts. That of a Recipe which makes the same token each time is empty.
const (
	Signature Part = "signature"
	KeyID     Part = "key id"
	All       Part = "all"
)

// Tokens returns where each connection gets its own from: bytes that are used again
// for the next.
func (r Recipe) Tokens() func() func() []byte {
	switch r.Vary {
	case Signature:
		return load.Forged(r.Token)
	case KeyID:
		return r.unknown
	case All:
		return r.random
	}
	return func() func() []byte {
		token := []byte(r.Token)
		return func() []byte { return token }
	}
}

func (r Recipe) unknown() func() []byte {
	_, rest, _ := strings.Cut(r.Token, ".")
	rng := load.Random()
	id := make([]byte, 43) // as long as Kubernetes' own
	return func() []byte {
		load.Scramble(rng, id)
		header := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"alg":"RS256","kid":"%s"}`, id))
		return []byte(header + "." + rest)
	}
}

func (r Recipe) random() func() []byte {
	rng := load.Random()
	token := make([]byte, 1<<10)
	odd := false
	return func() []byte {
		if odd = !odd; odd {
			for i := range token {
				token[i] = 0x80 | byte(rng.Uint64())
			}
		} else {
			load.Scramble(rng, token)
			token[100], token[700] = '.', '.'
		}
		return token
	}
}

// Forged are good tokens but for the signature, under the key that signs.
func Forged(w *world.World) (Recipe, error) {
	token, err := w.Cluster.Token(world.Caller())
	return Recipe{token, Signature}, err
}

// UnknownKey are good tokens but for the key id, which nobody ever published.
func UnknownKey(w *world.World) (Recipe, error) {
	token, err := w.Cluster.Token(world.Caller())
	return Recipe{token, KeyID}, err
}

// Expired are tokens that were good an hour ago. Their signatures are spoilt, as
// signing takes far longer than looking at the time, which comes first.
func Expired(w *world.World) (Recipe, error) {
	r := world.Caller()
	r.TTL = -time.Hour
	token, err := w.Cluster.Token(r)
	return Recipe{token, Signature}, err
}

// Random are, in turn, bytes that may stand in a header but in no token, and
// what looks like a JWT until it is decoded.
func Random(*world.World) (Recipe, error) { return Recipe{"", All}, nil }

// Large are forged tokens of the greatest length that is looked at, with as many claims
// as may be and an array that fills the rest: nothing takes longer to parse.
func Large(w *world.World) (Recipe, error) {
	const most = 16 << 10
	claims, err := w.Cluster.Claims(world.Caller())
	if err != nil {
		return Recipe{}, err
	}
	for i := range 480 { // of 512 names; Kubernetes' own are 20
		claims[fmt.Sprint(i)] = 0
	}
	token, err := w.Cluster.Sign(nil, claims)
	if err != nil {
		return Recipe{}, err
	}
	claims["rest"] = make([]int, (most-len(token))*3/4/len("0,")-len(`"rest":[]`))
	token, err = w.Cluster.Sign(nil, claims)
	return Recipe{token, Signature}, err
}

// Dots are tokens of dots alone. No two of them differ.
func Dots(n int) func(*world.World) (Recipe, error) {
	return func(*world.World) (Recipe, error) { return Recipe{Token: strings.Repeat(".", n)}, nil }
}
