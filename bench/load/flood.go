package load

import (
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Cut stands among the statuses for a request without an answer.
const Cut = 0

// A Tally counts answers by their status.
type Tally map[int]int

// Sum is the number of answers, and of requests without one.
func (t Tally) Sum() (n int) {
	for _, k := range t {
		n += k
	}
	return n
}

// Add adds another tally.
func (t Tally) Add(other Tally) {
	for status, n := range other {
		t[status] += n
	}
}

func (t Tally) String() string {
	var parts []string
	for _, status := range slices.Sorted(maps.Keys(t)) {
		name := fmt.Sprint(status)
		if status == Cut {
			name = "cut"
		}
		parts = append(parts, fmt.Sprintf("%s:%d", name, t[status]))
	}
	return strings.Join(parts, " ")
}

// A Flood is several connections that send without a pause.
type Flood struct {
	// From is the address to send from, To the gate's.
	From, To string
	// TLS is how to connect; nil means in clear.
	TLS *tls.Config `json:"-"`
	// Conns is the number of connections.
	Conns int
	// Streams is how many requests each has under way; zero means one, over
	// HTTP/1.1, and all others are HTTP/2, with prior knowledge.
	Streams int
	// Path is what is asked for.
	Path string
	// Tokens returns where one connection gets its tokens from: a function that
	// is called for each request, and may use its bytes again for the next. An
	// empty token is none.
	Tokens func() func() []byte `json:"-"`
	// Rate is the requests a second of all connections together; zero means as
	// many as are answered.
	Rate float64
}

// Run sends until ctx ends, and returns how the requests were answered. The
// last one of each connection, which ctx cuts, does not count.
func (f *Flood) Run(ctx context.Context) Tally {
	total := Tally{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range f.Conns {
		wg.Go(func() {
			p := pace{}
			if f.Rate > 0 {
				p.interval = time.Duration(float64(f.Conns) / f.Rate * float64(time.Second))
				p.next = time.Now().Add(p.interval * time.Duration(i) / time.Duration(f.Conns))
			}
			t := f.send(ctx, &p)
			mu.Lock()
			defer mu.Unlock()
			total.Add(t)
		})
	}
	wg.Wait()
	return total
}

// send is one connection's part.
func (f *Flood) send(ctx context.Context, p *pace) Tally {
	t := Tally{}
	next := f.Tokens()
	if f.Streams > 0 {
		for ctx.Err() == nil {
			t.Add(f.session(ctx, next, p))
		}
		return t
	}
	l := line{from: f.From, to: f.To, secure: f.TLS}
	defer l.close()
	var buffer []byte
	for p.wait(ctx) {
		buffer = appendRequest(buffer[:0], f.Path, next())
		status, err := l.do(ctx, buffer)
		switch {
		case ctx.Err() != nil:
			return t
		case err != nil:
			t[Cut]++
		default:
			t[status]++
		}
	}
	return t
}
