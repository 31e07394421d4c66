package main

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"
)

// try breaks one thing, asks, mends it, and returns what was measured.
func (f fault) try(t *testing.T, args []string) string {
	b := f.world(t, args)
	var known string
	if f.known.status != "" {
		known = b.issue()
		b.eventually("served", func() bool { status, _ := b.ask(b.keeps, known, nil); return status == "200" })
	}
	since := time.Now()
	count, said := b.count(f.metric), len(b.text())
	if f.born {
		count, said = 0, 0
	}
	if !f.born {
		f.breaks(b)
	}
	if f.overdue {
		time.Sleep(time.Until(since.Add(1100 * time.Millisecond))) // --recheck is 1 s
	}
	if f.noticed {
		b.logged(f.log, said)
	}
	m := f.ask(b, known)
	if f.ready != "" {
		if got := b.ready(); got != f.ready {
			t.Errorf("ready: %s, want %s", got, f.ready)
		}
	}
	if !f.lateMetric {
		b.counted(f.metric, count)
	}
	if !f.lateLog {
		b.logged(f.log, said)
	}
	begun := time.Now()
	if f.mends != nil {
		f.mends(b)
		b.eventually("well again", func() bool {
			status, _ := b.ask(b.comes, b.issue(), nil)
			return status == "200" && (known == "" || b.fine(known))
		})
	}
	took := time.Since(begun)
	if f.mends != nil && took > f.again*unhurried {
		t.Errorf("well again after %v, want %v", took, f.again)
	}
	b.counted(f.metric, count)
	b.logged(f.log, said)
	b.noTokenIn(b.text())
	return fmt.Sprintf("%s; again %v", m, took.Round(time.Millisecond))
}

// ask is the known caller and a new one meeting the fault together, and then
// some more of both.
func (f fault) ask(b *broken, known string) string {
	type result struct {
		status string
		took   time.Duration
	}
	one := func(client *http.Client, token string, want expect, bound time.Duration, who string) result {
		status, took := b.ask(client, token, f.shape)
		if status != want.status || took > bound*unhurried {
			b.t.Errorf("%s: %s after %v, want %s within %v", who, status, took, want.status, bound)
		}
		return result{status, took}
	}
	var firsts sync.WaitGroup
	var knownFirst, newFirst result
	if known != "" {
		firsts.Go(func() { knownFirst = one(b.keeps, known, f.known, f.known.first, "the known caller's first request") })
	}
	fresh := b.issue()
	if f.apart {
		firsts.Wait()
	}
	firsts.Go(func() { newFirst = one(b.comes, fresh, f.new, f.new.first, "the first new caller") })
	firsts.Wait()
	var knownLater, newLater time.Duration
	n := 5
	if f.new.later > atOnce {
		n = 2 // to wait more often tells no more
	}
	for range n {
		if known != "" {
			knownLater = max(knownLater, one(b.keeps, known, f.known, f.known.later, "a later request of the known caller").took)
		}
		newLater = max(newLater, one(b.comes, b.issue(), f.new, f.new.later, "a later new caller").took)
	}
	if b.idp.Cluster != nil { // an issuer's outage is nobody else's
		one(b.comes, b.token(), now("200"), atOnce, "a caller from the cluster")
	}
	round := func(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
	return fmt.Sprintf("known %s %v then %v; new %s %v then %v",
		knownFirst.status, round(knownFirst.took), round(knownLater), newFirst.status, round(newFirst.took), round(newLater))
}
