package telemetry

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A reader that can hang, and be gone.
type reader struct {
	hangs chan struct{} // until it is closed; nil means that it reads
	b     bytes.Buffer
	gone  bool
	calls int
}

var errGone = errors.New("broken pipe")

func (r *reader) Write(p []byte) (int, error) {
	if r.hangs != nil {
		<-r.hangs // a mutex would stop the bubble's clock
	}
	r.calls++
	if r.gone {
		return 0, errGone
	}
	return r.b.Write(p)
}

// inQueue runs test in a bubble, with a queue in front of a reader.
func inQueue(t *testing.T, test func(t *testing.T, q *Queue, r *reader)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &reader{}
		q, err := NewQueue("json", r)
		if err != nil {
			t.Fatal(err)
		}
		test(t, q, r)
	})
}

// numbers writes n lines and returns how many bytes each has.
func numbers(q io.Writer, from, n int) int {
	line := func(i int) string { return fmt.Sprintf("%06d %s\n", i, strings.Repeat("x", 248)) }
	for i := range n {
		io.WriteString(q, line(from+i))
	}
	return len(line(0))
}

// wantOrder checks that the numbers of the lines rise, and returns how many there
// are, and the lines of our own.
func wantOrder(t *testing.T, text string) (n int, own []string) {
	t.Helper()
	last := -1
	for line := range strings.Lines(text) {
		if line[0] == '{' {
			own = append(own, line)
			continue
		}
		i, err := strconv.Atoi(line[:6])
		if err != nil || i <= last || len(line) != 256 {
			t.Fatalf("after %d: %q", last, line)
		}
		last = i
		n++
	}
	return n, own
}

func TestQueueKeepsEveryLine(t *testing.T) {
	inQueue(t, func(t *testing.T, q *Queue, r *reader) {
		numbers(q, 0, 1000)
		q.Sync()
		numbers(q, 1000, 1000)
		q.Sync()
		n, own := wantOrder(t, r.b.String())
		if n != 2000 || len(own) != 0 || q.Dropped() != 0 {
			t.Errorf("%d lines, %q, %d dropped; want 2000", n, own, q.Dropped())
		}
	})
}

// Nobody waits for a reader that hangs; what is dropped is counted and told.
func TestQueueDoesNotWait(t *testing.T) {
	inQueue(t, func(t *testing.T, q *Queue, r *reader) {
		r.hangs = make(chan struct{})
		begun := time.Now()
		numbers(q, 0, 1)
		synctest.Wait() // it is on its way, and stuck
		size := numbers(q, 1, 9999)
		time.Sleep(30 * time.Second)
		numbers(q, 10000, 1)
		if took := time.Since(begun); took != 30*time.Second {
			t.Errorf("writing took %v", took-30*time.Second)
		}
		kept := 1 + maxQueued/size
		if got := q.Dropped(); got != uint64(10001-kept) {
			t.Fatalf("%d dropped, want %d", got, 10001-kept)
		}
		close(r.hangs)
		q.Sync()
		numbers(q, 20000, 1)
		q.Sync()
		n, own := wantOrder(t, r.b.String())
		if n != kept+1 || len(own) != 1 || !strings.Contains(own[0], fmt.Sprintf(`"lines":%d}`, 10001-kept)) {
			t.Fatalf("%d lines and %q, want %d and one about those missing", n, own, kept+1)
		}
		// It stands where they are missing.
		lines := strings.Split(strings.TrimSpace(r.b.String()), "\n")
		if lines[len(lines)-2]+"\n" != own[0] {
			t.Errorf("the last but one is %q", lines[len(lines)-2])
		}
	})
}

// Sync ends also where the reader never comes back.
func TestQueueSyncHasABound(t *testing.T) {
	inQueue(t, func(t *testing.T, q *Queue, r *reader) {
		r.hangs = make(chan struct{})
		numbers(q, 0, 1)
		begun := time.Now()
		q.Sync()
		if took := time.Since(begun); took != flushTime {
			t.Errorf("it took %v, want %v", took, flushTime)
		}
		close(r.hangs)
	})
}

// A reader that is gone costs lines and nothing else; one that is back gets the
// next.
func TestQueueFails(t *testing.T) {
	inQueue(t, func(t *testing.T, q *Queue, r *reader) {
		r.gone = true
		for i := range 10 {
			numbers(q, i, 1)
			synctest.Wait()
		}
		if q.Dropped() != 10 || r.calls != 10 {
			t.Errorf("%d dropped in %d writes, want 10 in 10", q.Dropped(), r.calls)
		}
		r.gone = false
		numbers(q, 100, 1)
		q.Sync()
		n, own := wantOrder(t, r.b.String())
		if n != 1 || len(own) != 1 || !strings.Contains(own[0], `"lines":10}`) {
			t.Errorf("%d lines and %q, want one each", n, own)
		}
	})
}

func TestQueueInParallel(t *testing.T) {
	var out bytes.Buffer
	q, err := NewQueue("json", &out)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 1000 {
				fmt.Fprintf(q, "%d %d\n", i, j)
			}
		})
	}
	all.Wait()
	q.Sync()
	if n := uint64(strings.Count(out.String(), "\n")) + q.Dropped(); n < 8000 || n > 8000 && q.Dropped() == 0 {
		t.Errorf("%d lines, want 8000", n)
	}
}

func TestNewQueueRefuses(t *testing.T) {
	if _, err := NewQueue("text", nil); err == nil {
		t.Error("no error for a format that there is not")
	}
}

func BenchmarkQueue(b *testing.B) {
	q, _ := NewQueue("json", io.Discard)
	line := []byte(strings.Repeat("x", 255) + "\n")
	b.ReportAllocs()
	for b.Loop() {
		q.Write(line)
	}
}
