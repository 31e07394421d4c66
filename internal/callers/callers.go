// Package callers knows who calls, and with how old a token: which service
// accounts still present tokens that they should have refreshed.
//
// It is told subjects that were proven, and never sees a token.
package callers

import (
	"slices"
	"strings"
	"sync"
	"time"

	"sallyport/internal/authn"
)

const (
	// Unknown stands for whoever presented a refused token that nobody could prove
	// to be anybody's.
	Unknown = "unknown"
	// Other stands for all for whom there was no room.
	Other = "other"

	// idle is how long a caller keeps its room without calling: longer than any
	// client that refreshes its token sleeps.
	idle = time.Hour
	// lastPart is how much of a token's life is left when a client that reads its
	// file once a minute has the next one: the kubelet replaces a token at 80 %.
	lastPart = 10
	// renewal is the longest from then until such a client has it: the kubelet looks
	// at a volume every 60 to 90 s. It counts for lives below 25 minutes.
	renewal = 150 * time.Second
)

// A Caller is what is known of one subject.
type Caller struct {
	Subject  string
	Requests uint64 // let through
	Refusals uint64
	// Stale, Legacy and Late are how many of the requests let through came with a
	// token that should have been replaced, that never ends, or that was in the
	// last tenth of its life; StaleAt, LegacyAt and LateAt when the last of them came.
	Stale, Legacy, Late       uint64
	StaleAt, LegacyAt, LateAt time.Time
	// LongestLife is of the tokens let through, from iat to exp; zero where none
	// said so.
	LongestLife time.Duration
	// Token is the last that was let through, Seen when.
	Token authn.Token
	Seen  time.Time
	// Reason is of the last refusal, Refused when.
	Reason  authn.Reason
	Refused time.Time
}

// Callers are all that call, up to a number.
type Callers struct {
	most int

	mu  sync.Mutex
	all map[string]*Caller
}

// New returns Callers with room for so many subjects, beside [Unknown] and
// [Other].
func New(most int) *Callers { return &Callers{most: most, all: map[string]*Caller{}} }

// LetThrough counts a request of a proven subject, which need not be the last one that
// came.
func (c *Callers) LetThrough(subject string, token *authn.Token, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.room(subject, now)
	k.Requests++
	if now.After(k.Seen) {
		k.Token, k.Seen = *token, now
	}
	switch {
	case token.Legacy:
		k.Legacy, k.LegacyAt = k.Legacy+1, later(k.LegacyAt, now)
	case token.Stale(now):
		k.Stale, k.StaleAt = k.Stale+1, later(k.StaleAt, now)
	case late(token, now):
		k.Late, k.LateAt = k.Late+1, later(k.LateAt, now)
	}
	if !token.Issued.IsZero() && !token.Expires.IsZero() {
		k.LongestLife = max(k.LongestLife, token.Expires.Sub(token.Issued))
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// late reports whether a client that follows its token file would have the next
// token by now.
func late(t *authn.Token, now time.Time) bool {
	if t.Issued.IsZero() || t.Expires.IsZero() {
		return false
	}
	life, left := t.Expires.Sub(t.Issued), t.Expires.Sub(now)
	return left < life/lastPart && left < life/5-renewal
}

// Refuse counts a refusal. The subject is "" where nobody has proven whose token it
// was.
func (c *Callers) Refuse(subject string, r authn.Reason, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if subject == "" {
		subject = Unknown
	}
	k := c.room(subject, now)
	k.Refusals++
	k.Reason, k.Refused = r, now
}

// room returns the caller of that name, or Other where there is no room.
func (c *Callers) room(subject string, now time.Time) *Caller {
	if k, ok := c.all[subject]; ok {
		return k
	}
	if subject != Unknown && subject != Other && c.named() >= c.most && !c.makeRoom(now) {
		return c.room(Other, now)
	}
	k := &Caller{Subject: subject}
	c.all[subject] = k
	return k
}

// named is how many have a name of their own.
func (c *Callers) named() int {
	n := len(c.all)
	for _, s := range []string{Unknown, Other} {
		if _, ok := c.all[s]; ok {
			n--
		}
	}
	return n
}

// makeRoom forgets who has not called for long, and reports whether there was
// anybody.
func (c *Callers) makeRoom(now time.Time) bool {
	found := false
	for subject, k := range c.all {
		if subject != Unknown && subject != Other && now.Sub(k.last()) > idle {
			delete(c.all, subject)
			found = true
		}
	}
	return found
}

func (k *Caller) last() time.Time {
	if k.Refused.After(k.Seen) {
		return k.Refused
	}
	return k.Seen
}

// List returns a copy of all, by name.
func (c *Callers) List() []Caller {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]Caller, 0, len(c.all))
	for _, k := range c.all {
		list = append(list, *k)
	}
	slices.SortFunc(list, func(a, b Caller) int { return strings.Compare(a.Subject, b.Subject) })
	return list
}
