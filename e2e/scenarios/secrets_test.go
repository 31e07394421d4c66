package scenarios

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"sallyport/e2e/caller"
	"sallyport/e2e/secrets"
)

// A word that could be a part of a token: base64url, and longer than the ids of
// Kubernetes, which have no capital letters besides.
var word = regexp.MustCompile(`[A-Za-z0-9_-]{24,}`)

// Keys are told by their ids, which Kubernetes makes from the public half: a
// SHA-256 of 43 characters.
var keyID = regexp.MustCompile(`("key_id":"|key \\")[A-Za-z0-9_-]{43}\\?"`)

var (
	lower = regexp.MustCompile(`[a-z]`)
	upper = regexp.MustCompile(`[A-Z]`)
	digit = regexp.MustCompile(`[0-9]`)
)

// secretsIn returns what looks like a part of a token or of its signature, cut
// short: this goes to a log too.
func secretsIn(text string) (found []string) {
	for _, w := range word.FindAllString(keyID.ReplaceAllString(text, ""), -1) {
		// A JWT's header and payload begin so: {" in base64url.
		if strings.Contains(w, "eyJ") || lower.MatchString(w) && upper.MatchString(w) && digit.MatchString(w) {
			found = append(found, w[:12]+"...")
		}
	}
	return found
}

// known is what all tokens of the run are known by.
var known = struct {
	sync.Mutex
	set secrets.Set
}{set: secrets.Set{}}

// learn makes the tokens known, which no log may have parts of.
func learn(tokens ...string) {
	known.Lock()
	defer known.Unlock()
	for _, token := range tokens {
		known.set.Add(token)
	}
}

// confess makes all tokens known that the caller has sent or has in the files.
func (c *callingPod) confess(ctx context.Context, files ...string) error {
	data, err := world.ask(ctx, "POST", &c.pod, caller.Port, "secrets", files)
	if err != nil {
		return fmt.Errorf("the tokens of %s in %s: %w: %s", c.pod.Name, c.pod.Namespace, err, data)
	}
	known.Lock()
	defer known.Unlock()
	return known.set.UnmarshalBinary(data)
}

// clean returns an error if a text has a part of a token in it, or what looks
// like one.
func clean(name string, data []byte) error {
	err := unknown(name, data)
	if found := secretsIn(string(data)); len(found) > 0 {
		err = errors.Join(err, fmt.Errorf("%s: %d words that may be parts of tokens, such as %s", name, len(found), found[0]))
	}
	return err
}

// unknown returns an error if a text has a part of a token in it that is known.
func unknown(name string, data []byte) error {
	known.Lock()
	defer known.Unlock()
	if n, line := known.set.In(data); n > 0 {
		return fmt.Errorf("%s: %d pieces of tokens, the first in line %d", name, n, line)
	}
	return nil
}
