// Package caller is what the caller's pod and the scenarios say to each other:
// the pod sends requests as it is told, with the tokens that it has.
package caller

import (
	"fmt"
	"net/http"
	"time"
)

// Port is where the caller listens.
const Port = 8080

// A Request is what the caller shall send.
type Request struct {
	Method    string // GET if empty
	URL       string
	TokenFile string // read anew for each request
	Token     string // in place of TokenFile
	Alone     bool   // on a connection of its own
}

// An Answer is what came back.
type Answer struct {
	Status int // 0: none, see Error
	Header http.Header
	Body   []byte // 64 KiB at most
	Error  string
	Took   time.Duration
}

// String leaves the body out, which may be long.
func (a Answer) String() string {
	if a.Error != "" {
		return "no answer: " + a.Error
	}
	return fmt.Sprintf("%d %s", a.Status, a.Header.Get("WWW-Authenticate"))
}

// A Load asks for requests in a row from a number of workers, until it is
// stopped.
type Load struct {
	Request
	Workers int
	Pause   time.Duration // of each worker, after each answer
}

// A Tally is what a load came to.
type Tally struct {
	Sent     int
	Statuses map[int]int
	Problems []string // the first ten answers that were not 200, with their time
	Tokens   []string // the fingerprints of the tokens that were sent, in their order
	Slowest  time.Duration
}

// Failed is how many requests were not answered with 200.
func (t Tally) Failed() int { return t.Sent - t.Statuses[http.StatusOK] }

// A Token tells of a token without telling it.
type Token struct {
	Fingerprint     string // the begin of its SHA-256
	Issued, Expires time.Time
}
