// Package status shows a person on loopback how the gate does: a page, and the
// same as JSON.
//
// It is told what there is to show, and asks nobody. It names subjects, and never
// sees a token.
package status

import "time"

// A Snapshot is all that is shown, at one moment. A zero time is not known, and not
// in its JSON.
type Snapshot struct {
	Now     time.Time `json:"now"`
	Version string    `json:"version"`
	Mode    string    `json:"mode"`
	// State is the gate's, and Says the same in a sentence.
	State State  `json:"state"`
	Says  string `json:"says"`

	// OwnToken is nil where none is used.
	OwnToken *OwnToken `json:"ownToken,omitempty"`
	Issuers  []Issuer  `json:"issuers"`
	// APIServer is nil where it is not asked.
	APIServer *APIServer `json:"apiServer,omitempty"`

	// Decisions are so many since the start, Recent of the last 15 minutes.
	Decisions Counts   `json:"decisions"`
	Recent    []Slot   `json:"recent"`
	Refusals  Refused  `json:"refusals"`
	Callers   []Caller `json:"callers"`

	Streams     int `json:"streams"`
	InFlight    int `json:"inFlight"`
	Connections int `json:"connections"`
}

// A State is a word and a colour.
type State string

// The states.
const (
	Ready    State = "ready"    // it decides
	Degraded State = "degraded" // it decides, and somebody has to look at something
	Down     State = "down"     // it does not let new callers in, or is not in service
)

// An OwnToken is the gate's own token.
type OwnToken struct {
	State   string    `json:"state"`
	Issued  time.Time `json:"issued,omitzero"`
	Expires time.Time `json:"expires,omitzero"`
	// Rotate is when the kubelet should replace it.
	Rotate time.Time `json:"rotate,omitzero"`
	// Loaded has the moments of the last rotations, the current token's last.
	Loaded    []time.Time `json:"loaded"`
	Rotations uint64      `json:"rotations"`
	Problem   string      `json:"problem,omitempty"`
}

// An Issuer is one key set.
type Issuer struct {
	Name    string    `json:"name"`
	Fetched time.Time `json:"fetched,omitzero"`
	Problem string    `json:"problem,omitempty"`
	Keys    []Key     `json:"keys"`
}

// A Key is a public key.
type Key struct {
	ID        string    `json:"id"`
	Algorithm string    `json:"algorithm,omitempty"`
	Since     time.Time `json:"since"`
	Leaving   bool      `json:"leaving,omitempty"` // it is not published any more
}

// An APIServer is whether it answers.
type APIServer struct {
	AwaySince time.Time `json:"awaySince,omitzero"`
	Why       string    `json:"why,omitempty"`
}

// Counts are decisions by what they came to.
type Counts struct {
	Accepted    uint64 `json:"accepted"`
	Refused     uint64 `json:"refused"`
	Unavailable uint64 `json:"unavailable"`
}

// A Slot is the decisions of some seconds.
type Slot struct {
	From time.Time `json:"from"`
	Counts
}

// Refused is what was refused.
type Refused struct {
	// ByReason counts tokens since the start.
	ByReason []ReasonCount `json:"byReason"`
	// Last are the last few, the newest first.
	Last []Refusal `json:"last"`
}

// A ReasonCount is how often.
type ReasonCount struct {
	Reason string `json:"reason"`
	Count  uint64 `json:"count"`
}

// A Refusal is one request.
type Refusal struct {
	At      time.Time `json:"at"`
	Code    int       `json:"code"`
	Reason  string    `json:"reason"`
	Subject string    `json:"subject,omitempty"` // whose token, where that was proven
	Peer    string    `json:"peer,omitempty"`
	Path    string    `json:"path"`
	Detail  string    `json:"detail,omitempty"`
}

// A Caller is one subject.
type Caller struct {
	Subject  string    `json:"subject"`
	Requests uint64    `json:"requests"`
	Refusals uint64    `json:"refusals"`
	Issued   time.Time `json:"issued,omitzero"`  // of the token it came with last
	Expires  time.Time `json:"expires,omitzero"` // likewise
	Seen     time.Time `json:"seen,omitzero"`
	// Flags are what its tokens of the last 15 minutes were, in words: stale, legacy, late.
	Flags []string `json:"flags,omitempty"`
}
