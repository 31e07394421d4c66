// Package secrets finds tokens, and parts of them, in texts. What it has learnt
// can be handed on: it tells a token only to who has it.
package secrets

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
)

// window is how many characters in a row give a part of a token away. There are
// 72 bits in them, so that nothing else has the same ones by chance.
const window = 12

// A Set is what some tokens are known by: the hashes of their windows.
type Set map[uint64]struct{}

// Add learns a token in the forms in which it could get into a log.
func (s Set) Add(token string) {
	for _, form := range forms(token) {
		for i := range max(0, len(form)-window+1) {
			s[hash([]byte(form[i:i+window]))] = struct{}{}
		}
	}
}

// forms returns the token as it is sent, as a WebSocket's subprotocol has it, in
// base64's other alphabet, and the signature's bytes in hex.
func forms(token string) []string {
	all := []string{
		token,
		base64.RawURLEncoding.EncodeToString([]byte(token)),
		strings.NewReplacer("-", "+", "_", "/").Replace(token),
	}
	_, signature, _ := strings.Cut(token, ".")
	_, signature, _ = strings.Cut(signature, ".")
	if raw, err := base64.RawURLEncoding.DecodeString(signature); err == nil {
		all = append(all, hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw)))
	}
	return all
}

// In returns how many windows of the tokens are in a text, and the line in which
// the first is, from 1.
func (s Set) In(text []byte) (n, line int) {
	run := 0 // how many characters that may stand in a form are before i
	for i, c := range text {
		if !inForm(c) {
			run = 0
			continue
		}
		if run++; run < window {
			continue
		}
		if _, ok := s[hash(text[i+1-window:i+1])]; ok {
			if n++; n == 1 {
				line = 1 + bytes.Count(text[:i], []byte("\n"))
			}
		}
	}
	return n, line
}

// inForm reports whether c may stand in a token in any form.
func inForm(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_+/=.", c) >= 0
}

func hash(window []byte) uint64 {
	sum := sha256.Sum256(window)
	return binary.BigEndian.Uint64(sum[:])
}

// MarshalBinary writes the set to be handed on.
func (s Set) MarshalBinary() ([]byte, error) {
	all := make([]uint64, 0, len(s))
	for h := range s {
		all = append(all, h)
	}
	slices.Sort(all)
	return binary.Append(nil, binary.BigEndian, all)
}

// UnmarshalBinary adds what MarshalBinary has written.
func (s Set) UnmarshalBinary(data []byte) error {
	all := make([]uint64, len(data)/8)
	if _, err := binary.Decode(data, binary.BigEndian, all); err != nil {
		return err
	}
	for _, h := range all {
		s[h] = struct{}{}
	}
	return nil
}
