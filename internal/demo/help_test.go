package demo

import (
	"bytes"
	"strings"
	"sync"
)

// A lockedBuffer may be read while it is written, and calls somebody when a
// text comes by.
type lockedBuffer struct {
	on map[string]func()

	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements [io.Writer].
func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for text, f := range l.on {
		if strings.Contains(string(p), text) {
			f()
		}
	}
	return l.b.Write(p)
}

// String returns what was written so far.
func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
