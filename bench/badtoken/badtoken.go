// Package badtoken makes tokens that no gate lets in, each unlike the others, so that
// nothing that remembers helps. What it returns says where each connection gets its
// own from: bytes that are used again for the next.
package badtoken

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"sallyport/bench/load"
	"sallyport/bench/world"
)

// Forged are good tokens but for the signature, under the key that signs.
func Forged(w *world.World) (func() func() []byte, error) {
	token, err := w.Cluster.Token(world.Caller())
	return load.Forged(token), err
}

// UnknownKey are good tokens but for the key id, which nobody ever published.
func UnknownKey(w *world.World) (func() func() []byte, error) {
	token, err := w.Cluster.Token(world.Caller())
	_, rest, _ := strings.Cut(token, ".")
	return func() func() []byte {
		rng := load.Random()
		id := make([]byte, 43) // as long as Kubernetes' own
		return func() []byte {
			load.Scramble(rng, id)
			header := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"alg":"RS256","kid":"%s"}`, id))
			return []byte(header + "." + rest)
		}
	}, err
}

// Expired are tokens that were good an hour ago. Their signatures are spoilt, as
// signing takes far longer than looking at the time, which comes first.
func Expired(w *world.World) (func() func() []byte, error) {
	r := world.Caller()
	r.TTL = -time.Hour
	token, err := w.Cluster.Token(r)
	return load.Forged(token), err
}

// Random are, in turn, bytes that may stand in a header but in no token, and
// what looks like a JWT until it is decoded.
func Random(*world.World) (func() func() []byte, error) {
	return func() func() []byte {
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
	}, nil
}

// Large are forged tokens of the greatest length that is looked at, with as many
// claims as fit: nothing takes longer to parse.
func Large(w *world.World) (func() func() []byte, error) {
	const most = 16 << 10
	claims, err := w.Cluster.Claims(world.Caller())
	if err != nil {
		return nil, err
	}
	token := ""
	for i := 0; ; i++ {
		claims[fmt.Sprint(i)] = 0
		if i%100 != 0 {
			continue // signing takes a while
		}
		t, err := w.Cluster.Sign(nil, claims)
		if err != nil {
			return nil, err
		}
		if len(t) > most {
			return load.Forged(token), nil
		}
		token = t
	}
}

// Dots are tokens of dots alone. No two of them differ.
func Dots(n int) func(*world.World) (func() func() []byte, error) {
	return func(*world.World) (func() func() []byte, error) {
		token := bytes.Repeat([]byte("."), n)
		return func() func() []byte { return func() []byte { return token } }, nil
	}
}

// None is no token at all.
func None() func() []byte { return func() []byte { return nil } }
