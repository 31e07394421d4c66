package process

import (
	"bytes"
	"io"
	"strings"
	"sync"
)

// keep is how much of the end of a log is kept: some forty lines.
const keep = 8 << 10

// A tail reads a log to its end and keeps the last of it.
type tail struct {
	mu   sync.Mutex
	last []byte
}

func (t *tail) follow(r io.Reader) {
	buffer := make([]byte, 64<<10) // what a pipe holds
	for {
		n, err := r.Read(buffer)
		t.add(buffer[:n])
		if err != nil {
			return
		}
	}
}

func (t *tail) add(b []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, b...)
	if over := len(t.last) - keep; over > 0 {
		t.last = append(t.last[:0], t.last[over:]...)
	}
}

// line returns the first whole line that holds what, or "".
func (t *tail) line(what string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	for line := range bytes.Lines(t.last) {
		if bytes.Contains(line, []byte(what)) && bytes.HasSuffix(line, []byte("\n")) {
			return string(line)
		}
	}
	return ""
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.last))
}
