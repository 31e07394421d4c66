package load

import (
	"math/rand/v2"
	"strings"
)

// Random returns a source of random numbers that nobody has to be kept from
// guessing.
func Random() *rand.Rand { return rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())) }

// Scramble fills b with characters of base64url.
func Scramble(rng *rand.Rand, b []byte) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for i := range b {
		b[i] = alphabet[rng.Uint64()&63]
	}
}

// Forged returns tokens as [Flood] wants them: the given one, with another
// signature each time. Its middle varies: the number that it is stays below the
// key's modulus, so that verifying it takes as long as that of a good one.
func Forged(token string) func() func() []byte {
	at := strings.LastIndexByte(token, '.') + 100
	return func() func() []byte {
		token := []byte(token)
		rng := Random()
		return func() []byte {
			Scramble(rng, token[at:at+40])
			return token
		}
	}
}
