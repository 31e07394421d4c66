package load

import (
	"context"
	"crypto/tls"
	"time"
)

// A line is a connection that is made again when it has ended.
type line struct {
	from, to string
	secure   *tls.Config // nil for none
	c        *conn
	stop     func() bool
}

// redial is the pause after a connection that could not be made, so that a gate
// that takes none is not asked in a circle.
const redial = 10 * time.Millisecond

// do sends a request. The end of ctx cuts it.
func (l *line) do(ctx context.Context, request []byte) (status int, err error) {
	if l.c == nil {
		if l.c, err = dial(ctx, l.from, l.to, l.secure); err != nil {
			l.c = nil
			sleep(ctx, redial)
			return 0, err
		}
		c := l.c
		l.stop = context.AfterFunc(ctx, func() { c.Close() })
	}
	status, reuse, err := l.c.do(request)
	if err != nil || !reuse {
		l.close()
	}
	return status, err
}

func (l *line) close() {
	if l.c != nil {
		l.stop()
		l.c.Close()
		l.c = nil
	}
}

// A pace says when the next request is due. The zero pace is always.
type pace struct {
	interval time.Duration
	next     time.Time
}

// arrears bounds what is made up for after a stall, so that none is followed by
// a burst that nobody asked for.
const arrears = time.Second

// wait returns false when ctx ends.
func (p *pace) wait(ctx context.Context) bool {
	if p.interval == 0 {
		return ctx.Err() == nil
	}
	now := time.Now()
	if late := now.Add(-arrears); p.next.Before(late) {
		p.next = late
	}
	due := p.next
	p.next = p.next.Add(p.interval)
	return sleep(ctx, due.Sub(now))
}

// sleep returns false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
