package minicluster

import (
	"net/http"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
)

// An Endpoint is a part of the API server that can fail by itself.
type Endpoint string

// The endpoints. All stands for every one that has no fault of its own.
const (
	All       Endpoint = "all"
	Discovery Endpoint = "discovery"
	Keys      Endpoint = "keys"
	Reviews   Endpoint = "reviews"
	Tokens    Endpoint = "tokens"
	Others    Endpoint = "others"
)

// A Fault is what goes wrong. The zero Fault is nothing. A call waits for
// Latency first, then hangs, then finds nobody there; one that is answered gets
// the Status or the real answer, and that spoilt by Body.
type Fault struct {
	// Latency is waited before anything else.
	Latency time.Duration
	// Hang gives no answer until the call's context ends or the fault is lifted;
	// then the call goes on as if nothing had been.
	Hang bool
	// Down cuts the connection without an answer; in memory the error is that of
	// a refused one. To refuse them on loopback: [Server.Stop].
	Down bool
	// Status, unless 0, is answered instead of looking at the call.
	Status int
	// RetryAfter is sent along, in whole seconds, unless 0.
	RetryAfter time.Duration
	// Location is sent along, for a Status of 3xx.
	Location string
	// Skew is how far the answer's Date is ahead of our clock.
	Skew time.Duration
	// Body is what is wrong with the body.
	Body Spoil
	// Review changes the answer to a TokenReview: see [LieAudience].
	Review func(*authenticationv1.TokenReviewStatus)
}

// A Spoil is what is wrong with a body whose status is as it should be.
type Spoil string

const (
	// Garbage is a body that is not JSON.
	Garbage Spoil = "garbage"
	// Oversize is a body of JSON that never ends.
	Oversize Spoil = "oversize"
	// Truncate ends after half of the announced length.
	Truncate Spoil = "truncate"
)

// faults are the switches. Whoever hangs waits for changed to be closed.
type faults struct {
	mu      sync.Mutex
	set     map[Endpoint]Fault
	hook    func(*http.Request) *Fault
	changed chan struct{}
}

func (f *faults) init() {
	f.set, f.changed = map[Endpoint]Fault{}, make(chan struct{})
}

// Fail makes calls of the endpoint fail from now on, and replaces the fault that
// it had. With the zero Fault it is well even where All is not.
func (c *Cluster) Fail(e Endpoint, f Fault) {
	c.faults.change(func() { c.faults.set[e] = f })
}

// FailWhen asks hook about every call before the faults of the endpoints apply;
// nil means that it knows of none. It is called by many at once, and must not
// read the body.
func (c *Cluster) FailWhen(hook func(*http.Request) *Fault) {
	c.faults.change(func() { c.faults.hook = hook })
}

// Heal lifts every fault, and lets those go on that hang.
func (c *Cluster) Heal() {
	c.faults.change(func() {
		clear(c.faults.set)
		c.faults.hook = nil
	})
}

func (f *faults) change(how func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	how()
	close(f.changed)
	f.changed = make(chan struct{})
}

// of returns the fault that a call meets, and a channel that is closed when it
// might be another.
func (f *faults) of(r *http.Request, e Endpoint) (Fault, <-chan struct{}) {
	f.mu.Lock()
	hook, changed := f.hook, f.changed
	fault, ok := f.set[e]
	if !ok {
		fault = f.set[All]
	}
	f.mu.Unlock()
	if hook != nil {
		if own := hook(r); own != nil {
			return *own, changed
		}
	}
	return fault, changed
}

// meet waits as the fault says and returns what is left of it. It panics with
// http.ErrAbortHandler where there is to be no answer.
func (f *faults) meet(r *http.Request, e Endpoint) Fault {
	fault, changed := f.of(r, e)
	if fault.Latency > 0 {
		wait(r, time.After(fault.Latency))
	}
	for fault.Hang {
		wait(r, changed)
		fault, changed = f.of(r, e)
	}
	if fault.Down {
		panic(http.ErrAbortHandler)
	}
	return fault
}

// wait ends the handler where the call ends first.
func wait[T any](r *http.Request, until <-chan T) {
	select {
	case <-until:
	case <-r.Context().Done():
		panic(http.ErrAbortHandler)
	}
}
