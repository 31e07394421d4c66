package caller

import "time"

// A Socket asks for a WebSocket to be opened, and to be kept until the other side
// ends it.
type Socket struct {
	URL       string // ws://
	TokenFile string
	Token     string        // in place of TokenFile
	Most      time.Duration // then the caller gives it up
}

// Closed is how a WebSocket has ended.
type Closed struct {
	Status int    // of the answer to the upgrade: 101, or why there was none
	Said   int    // messages that came
	Code   int    // of the close frame, 0 if none came
	Reason string // in the close frame
	Error  string // without a close frame: how else it ended
	Lasted time.Duration
}
