package authn

import "strings"

// maxWord is in bytes. It is shorter than any signature (that of ES256, the
// shortest, has 86), and longer than host names, hashes and most object names.
const maxWord = 80

// Redact makes what somebody else wrote fit for our log, where no token may
// stand: each word of more than 80 bytes that could be one, or a part of one,
// becomes "[...]". A text must be redacted before it is cut, and quoted after.
func Redact(text string) string {
	var out strings.Builder
	start, kept := 0, 0 // of the word at hand; of what was not copied yet
	for i := 0; i <= len(text); i++ {
		if i < len(text) && inJWS[text[i]] {
			continue
		}
		if i-start > maxWord {
			out.WriteString(text[kept:start])
			out.WriteString("[...]")
			kept = i
		}
		start = i + 1
	}
	if kept == 0 {
		return text
	}
	return out.String() + text[kept:]
}

// inJWS is what a compact JWS is written in (RFC 7515 section 7.1).
var inJWS = func() (t [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") {
		t[c] = true
	}
	return t
}()
