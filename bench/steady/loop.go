package main

import (
	"fmt"
	"math"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

type options struct {
	to, path string
	requests [][]byte
	rate     float64
	conns    int
	duration time.Duration
}

// A result is what the driver reads. Times are in microseconds.
type result struct {
	Requests, Errors int
	Took             int64
	P50, P99, P999   int64
}

// A loop is all connections, and what is due.
type loop struct {
	options
	conns []*conn
	poll  []unix.PollFd
	free  []*conn
	began time.Time
	sent  int // requests, answered or not
	good  int // answers with a status of success
	took  []time.Duration
}

// drain is how long the last answers may take, after the time is up. A decision
// takes 8 s at most.
const drain = 10 * time.Second

func run(o options) (*result, error) {
	// The kernel lets sleeps be 50 us late to save power, unless told otherwise.
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("timer slack: %w", err)
	}
	l := &loop{options: o}
	for range o.conns {
		c, err := dial(o.to)
		if err != nil {
			return nil, err
		}
		l.conns, l.free = append(l.conns, c), append(l.free, c)
		l.poll = append(l.poll, unix.PollFd{Fd: int32(c.fd), Events: unix.POLLIN})
	}
	l.began = time.Now()
	for time.Since(l.began) < o.duration+drain {
		wait := l.send()
		if wait == never && len(l.free) == o.conns {
			break
		}
		if err := l.receive(wait); err != nil {
			return nil, err
		}
	}
	return l.result(), nil
}

// never is the wait after the last request.
const never = time.Duration(math.MaxInt64)

// due is when request n has to be sent.
func (l *loop) due(n int) time.Duration {
	if l.rate == 0 {
		return 0
	}
	return time.Duration(float64(n) / l.rate * float64(time.Second))
}

// send sends what is due while there is a free connection, and returns how long it
// is until the next is due.
func (l *loop) send() time.Duration {
	for {
		now := time.Since(l.began)
		due := l.due(l.sent)
		if due >= l.duration || l.rate == 0 && now >= l.duration {
			return never
		}
		if due > now {
			return due - now
		}
		if len(l.free) == 0 {
			return never // an answer comes first
		}
		c := l.free[len(l.free)-1]
		l.free = l.free[:len(l.free)-1]
		if l.rate == 0 {
			due = now
		}
		c.due, c.busy = due, true
		request := l.requests[l.sent%len(l.requests)]
		l.sent++
		if err := c.write(request); err != nil {
			l.replace(c)
		}
	}
}

// receive waits for answers, at most so long, and reads them.
func (l *loop) receive(wait time.Duration) error {
	timeout := unix.NsecToTimespec(min(wait, drain).Nanoseconds())
	n, err := unix.Ppoll(l.poll, &timeout, nil)
	if err == unix.EINTR {
		return nil
	}
	if err != nil {
		return fmt.Errorf("ppoll: %w", err)
	}
	for i := range l.poll {
		if n == 0 {
			return nil
		}
		if l.poll[i].Revents == 0 {
			continue
		}
		n--
		l.answer(l.conns[i])
	}
	return nil
}

// answer reads what has come on a connection.
func (l *loop) answer(c *conn) {
	done, err := c.read()
	switch {
	case err != nil || !c.busy:
		l.replace(c)
	case done:
		l.took = append(l.took, time.Since(l.began)-c.due)
		if c.status >= 200 && c.status <= 299 {
			l.good++
		}
		l.release(c)
	}
}

// replace replaces a connection that has ended, or that said something unasked. A
// request under way gets no answer then.
func (l *loop) replace(c *conn) {
	// Where nobody is there, the next request fails.
	_ = c.redial(l.to)
	l.poll[slices.Index(l.conns, c)].Fd = int32(c.fd)
	if c.busy {
		l.release(c)
	}
}

func (l *loop) release(c *conn) {
	c.busy = false
	l.free = append(l.free, c)
}

func (l *loop) result() *result {
	return &result{
		Requests: l.sent, Errors: l.sent - l.good, Took: min(time.Since(l.began), l.duration).Microseconds(),
		P50: quantile(l.took, 0.5), P99: quantile(l.took, 0.99), P999: quantile(l.took, 0.999),
	}
}

// quantile returns what is longer than the part q of all, in microseconds.
func quantile(all []time.Duration, q float64) int64 {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[min(int(q*float64(len(all))), len(all)-1)].Microseconds()
}
