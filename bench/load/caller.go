package load

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// A Caller is a well-behaved one: a request now and then, on a connection of its
// own, with a token of its own.
type Caller struct {
	From, To string
	// Path is what it asks for.
	Path string
	// Rate is its requests a second.
	Rate float64
	// Tokens are used one after the other, each for as long.
	Tokens []string
	// For is how long the tokens last together.
	For time.Duration
}

// A Record is what callers saw.
type Record struct {
	Sent   int
	Errors int
	// First is the first error, for people; "" where there is none.
	First string
	// Took is how long each request took.
	Took []time.Duration
}

// Quantile returns how long a request took that is slower than the part q of
// them all.
func (r *Record) Quantile(q float64) time.Duration {
	if len(r.Took) == 0 {
		return 0
	}
	slices.Sort(r.Took)
	return r.Took[min(int(q*float64(len(r.Took))), len(r.Took)-1)]
}

func (r *Record) add(other *Record) {
	r.Sent += other.Sent
	r.Errors += other.Errors
	r.First = cmp.Or(r.First, other.First)
	r.Took = append(r.Took, other.Took...)
}

// Call has all callers call until ctx ends.
func Call(ctx context.Context, callers []Caller) *Record {
	total := &Record{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i, c := range callers {
		wg.Go(func() {
			interval := time.Duration(float64(time.Second) / c.Rate)
			// They do not call all at once.
			p := &pace{interval: interval, next: time.Now().Add(interval * time.Duration(i) / time.Duration(len(callers)))}
			r := c.call(ctx, p)
			mu.Lock()
			defer mu.Unlock()
			total.add(r)
		})
	}
	wg.Wait()
	return total
}

func (c *Caller) call(ctx context.Context, p *pace) *Record {
	r := &Record{}
	l := line{from: c.From, to: c.To}
	defer l.close()
	requests := make([][]byte, len(c.Tokens))
	for i, t := range c.Tokens {
		requests[i] = request(c.Path, t)
	}
	began, free := time.Now(), time.Now()
	for {
		due := p.next
		if !p.wait(ctx) {
			return r
		}
		// Who had to wait for the answer before counts that in. A timer that
		// came late is the driver's own doing, and no part of it.
		start := time.Now()
		if free.After(due) {
			start = due
		}
		i := min(int(int64(time.Since(began))*int64(len(requests))/int64(c.For)), len(requests)-1)
		status, err := l.do(ctx, requests[i])
		free = time.Now()
		if ctx.Err() != nil {
			return r
		}
		if err == nil && status != 200 {
			err = fmt.Errorf("status %d", status)
		}
		r.Sent++
		r.Took = append(r.Took, free.Sub(start))
		if err != nil {
			r.Errors++
			r.First = cmp.Or(r.First, err.Error())
		}
	}
}
