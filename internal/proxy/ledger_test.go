package proxy

import (
	"sync"
	"testing"

	"go.uber.org/zap"

	"sallyport/internal/authn"
)

// told is an Observer that remembers how often it was told of each code.
type told struct {
	mu    sync.Mutex
	codes map[int]int
}

func (o *told) Ended(d *Done) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.codes[d.Code]++
}

func ledgerOf() (*Ledger, *told) {
	o := &told{codes: map[int]int{}}
	l := NewLedger(o)
	newRequestLog(zap.NewNop(), l)
	return l, o
}

// Whoever writes, and whoever reads meanwhile: each request is told of, once.
func TestLedgerTellsOnce(t *testing.T) {
	l, o := ledgerOf()
	const writers, each = 8, 10*pageLength + 7
	var writing, reading sync.WaitGroup
	over := make(chan struct{})
	reading.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
				l.Settle()
			}
		}
	})
	for w := range writers {
		writing.Go(func() {
			for i := range each {
				l.add(&Done{Code: w*each + i, Reason: authn.OK})
			}
		})
	}
	writing.Wait()
	close(over)
	reading.Wait()
	l.Settle()
	if len(o.codes) != writers*each {
		t.Errorf("told of %d requests, want %d", len(o.codes), writers*each)
	}
	for code, n := range o.codes {
		if n != 1 {
			t.Errorf("told %d times of request %d", n, code)
		}
	}
}

// A page is told of when it is full, and when it has a request that was not let through:
// the observer's Explain reads that one, so it must not be kept.
func TestLedgerPages(t *testing.T) {
	const all = -1
	explain := func() Explanation { return Explanation{} }
	for _, tc := range []struct {
		name            string
		through, others int
		want            int
	}{
		{"few", 3, 0, 0},
		{"one less than a page", pageLength - 1, 0, 0},
		{"a refusal", 0, 1, all},
		{"a refusal after others", 3, 1, all},
	} {
		l, o := ledgerOf()
		l.pages = l.pages[:1] // as the processors are not chosen here
		for range tc.through {
			l.add(&Done{Code: 200, Reason: authn.OK})
		}
		for range tc.others {
			l.add(&Done{Code: 401, Reason: authn.Expired, Explain: explain})
		}
		if tc.want == all {
			tc.want = tc.through + tc.others
		}
		if got := o.codes[200] + o.codes[401]; got != tc.want {
			t.Errorf("%s: told of %d, want %d", tc.name, got, tc.want)
		}
		for i := range l.pages[0].done[:] {
			if d := &l.pages[0].done[i]; d.Explain != nil {
				t.Errorf("%s: line %d still holds its request", tc.name, i)
			}
		}
	}
	l, o := ledgerOf()
	l.pages = l.pages[:1]
	for i := range 3*pageLength + 1 {
		l.add(&Done{Code: 200, Reason: authn.OK})
		if got, want := o.codes[200], (i+1)/pageLength*pageLength; got != want {
			t.Fatalf("told of %d after %d, want %d", got, i+1, want)
		}
	}
}

func TestLedgerDoesNotAllocate(t *testing.T) {
	l, _ := ledgerOf()
	d := &Done{Code: 200, Reason: authn.OK}
	if n := testing.AllocsPerRun(1000, func() { l.add(d) }); n > 0 {
		t.Errorf("%v allocations a request", n)
	}
}

// BenchmarkLedger has processors write at the same time, to one observer's memory.
func BenchmarkLedger(b *testing.B) {
	l, _ := ledgerOf()
	d := Done{Code: 200, Reason: authn.OK, Subject: "system:serviceaccount:shop:checkout"}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			l.add(&d)
		}
	})
}
