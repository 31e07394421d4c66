// Package health answers the kubelet's probes: started, alive, ready. And it
// answers the operator on loopback: drain, log level.
//
// None of it asks the app. Restarting the gate does not cure the app, and taking
// the gate out of service hides what is wrong with it.
package health

import (
	"sync/atomic"
)

// A Health is what the probes answer. Conditions are added before it serves.
type Health struct {
	startup, ready []condition

	started  atomic.Bool // once started, always started
	draining atomic.Bool
}

// A condition is named for the operator. Its check is called at each probe, by
// several at once, so it looks at what is known and asks nobody.
type condition struct {
	name  string
	check func() error
}

// New returns a Health without conditions: started and ready.
func New() *Health { return &Health{} }

// Startup adds a condition for having started. It is not looked at again once
// all of them held at once: a kubelet that saw it red later would restart us.
// The check's error is for people: what is the matter, and what to do about it.
func (h *Health) Startup(name string, check func() error) {
	h.startup = append(h.startup, condition{name, check})
}

// Ready adds a condition for being ready, beside having started.
func (h *Health) Ready(name string, check func() error) {
	h.ready = append(h.ready, condition{name, check})
}

// Drain makes the gate unready for good: one that was told to go does not come
// back.
func (h *Health) Drain() { h.draining.Store(true) }

// A problem is a condition that does not hold.
type problem struct {
	Name string `json:"name"`
	Why  string `json:"why"`
}

// startupProblems are what is missing for having started.
func (h *Health) startupProblems() []problem {
	if h.started.Load() {
		return nil
	}
	p := failing(h.startup)
	if len(p) == 0 {
		h.started.Store(true)
	}
	return p
}

// readyProblems are what is missing for being ready. What has not started is
// not ready.
func (h *Health) readyProblems() []problem {
	p := append(h.startupProblems(), failing(h.ready)...)
	if h.draining.Load() {
		p = append(p, problem{"drain", "the gate is draining and will stop"})
	}
	return p
}

// Problems are what is missing for being ready, in words; none means ready.
func (h *Health) Problems() (words []string) {
	for _, p := range h.readyProblems() {
		words = append(words, p.Name+": "+p.Why)
	}
	return words
}

func failing(conditions []condition) (p []problem) {
	for _, c := range conditions {
		if err := c.check(); err != nil {
			p = append(p, problem{c.name, oneLine(err.Error())})
		}
	}
	return p
}
