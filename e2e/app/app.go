// Package app is what the app behind a gate tells the scenarios, in its answers
// and in its log.
package app

import "time"

// Seen is the answer to a request: what the app saw of it.
type Seen struct {
	Pod           string // the app's own
	Target        string
	User          string
	Authorization bool
	Anonymous     int // requests without a user, up to this one
}

// What happens to an app.
const (
	Started    = "started"
	Began      = "began"      // a request that takes a while
	Terminated = "terminated" // SIGTERM has come
	Ended      = "ended"      // all requests are finished
)

// An Event is a line of the app's log, as JSON.
type Event struct {
	Time               time.Time
	What               string
	User               string         `json:",omitempty"` // of Began
	UnderWay, Answered map[string]int // requests by user
	Anonymous          int            // as in Seen
}
