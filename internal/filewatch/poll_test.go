package filewatch

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// poll runs Poll in a bubble while do does something, and returns the reads.
func poll(t *testing.T, do func(hints, wake chan struct{})) (reads int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		hints, wake := make(chan struct{}, 1), make(chan struct{}, 1)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- Poll(ctx, func() { reads++ }, hints, wake) }()
		do(hints, wake)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Poll = %v", err)
		}
	})
	return reads
}

func TestPollAlone(t *testing.T) {
	reads := poll(t, func(_, _ chan struct{}) { time.Sleep(10*time.Second + Interval/2) })
	if want := 1 + int(10*time.Second/Interval); reads != want {
		t.Errorf("%d reads in 10 s, want %d", reads, want)
	}
}

func TestPollIsWoken(t *testing.T) {
	reads := poll(t, func(hints, wake chan struct{}) {
		time.Sleep(Interval / 4)
		hints <- struct{}{}
		time.Sleep(Interval / 4)
		wake <- struct{}{}
		time.Sleep(Interval / 4)
	})
	if reads != 3 {
		t.Errorf("%d reads, want 3: at the start, on a hint, and when woken", reads)
	}
}

func TestPollIsBounded(t *testing.T) {
	reads := poll(t, func(hints, wake chan struct{}) {
		for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
			hint([]chan struct{}{hints, wake})
		}
	})
	if limit := int(time.Second/gap) + 1; reads > limit {
		t.Errorf("%d reads in a second of hints, want at most %d", reads, limit)
	}
	reads = poll(t, func(hints, _ chan struct{}) {
		close(hints)
		time.Sleep(time.Second + Interval/2)
	})
	if want := 2 + int(time.Second/Interval); reads > want {
		t.Errorf("%d reads in a second with closed hints, want at most %d", reads, want)
	}
}

func TestTrouble(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	log := zap.New(core)
	var tr Trouble
	expect := func(what string, want int) {
		t.Helper()
		if got := len(logs.TakeAll()); got != want {
			t.Errorf("%s: %d lines, want %d", what, got, want)
		}
	}
	tr.Over(log, "over")
	expect("no trouble is over", 0)
	for range 10 {
		tr.Met(log, "bad", errors.New("a"))
		tr.Met(log, "bad", errors.New("b"))
	}
	expect("two problems, ten times", 2)
	tr.Over(log, "over")
	tr.Over(log, "over")
	expect("over, twice", 1)
	tr.Met(log, "bad", errors.New("a"))
	expect("an old problem is back", 1)
	for i := range 100 {
		tr.Met(log, "bad", fmt.Errorf("%d", i))
	}
	expect("a hundred problems", maxTold-1)
}
