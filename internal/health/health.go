// Package health answers the kubelet's probes: started, alive, ready. And it
// answers the operator on loopback: drain, log level.
//
// None of it asks the app. Restarting the gate does not cure the app, and taking
// the gate out of service hides what is wrong with it.
package health

import (
	"errors"
	"sync"
)

// A Health is what the probes answer. Conditions are added before it serves.
type Health struct {
	startup, ready []condition

	mu       sync.Mutex
	started  bool // once started, always started
	draining bool
}

// A condition is named for the operator; its check is called at each probe and
// must not block.
type condition struct {
	name  string
	check func() error
}

// New returns a Health without conditions: started and ready.
func New() *Health { return &Health{} }

// Startup adds a condition for having started. It is not looked at again once
// all of them held at once.
func (h *Health) Startup(name string, check func() error) {
	h.startup = append(h.startup, condition{name, check})
}

// Ready adds a condition for being ready.
func (h *Health) Ready(name string, check func() error) {
	h.ready = append(h.ready, condition{name, check})
}

// Drain makes the gate unready for good.
func (h *Health) Drain() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.draining = true
}

// A problem is a condition that does not hold.
type problem struct {
	Name string `json:"name"`
	Why  string `json:"why"`
}

var errDraining = errors.New("the gate is draining and will stop")

// startupProblems are what is missing for having started.
func (h *Health) startupProblems() []problem {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.started {
		return nil
	}
	p := failing(h.startup)
	h.started = len(p) == 0
	return p
}

// readyProblems are what is missing for being ready. What has not started is
// not ready.
func (h *Health) readyProblems() []problem {
	p := append(h.startupProblems(), failing(h.ready)...)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.draining {
		p = append(p, problem{"drain", errDraining.Error()})
	}
	return p
}

func failing(conditions []condition) (p []problem) {
	for _, c := range conditions {
		if err := c.check(); err != nil {
			p = append(p, problem{c.name, err.Error()})
		}
	}
	return p
}
