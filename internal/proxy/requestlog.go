package proxy

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"sallyport/internal/authn"
	"sallyport/internal/traceparent"
)

const (
	// fullLines is how many lines a second a reason gets: enough to see who is
	// refused, and for what. 16 connections with forged tokens would write 250 GB
	// a day otherwise.
	fullLines = 20
	// sampleEvery is between two lines of requests let through. They are there to be
	// found, and metrics count them.
	sampleEvery = time.Second
)

// A requestLog writes what became of requests. At level debug each has a line.
// Otherwise a second has so many for each reason, and then one with the count.
type requestLog struct {
	log    *zap.Logger
	ledger *Ledger
	begun  time.Time
	// Requests let through for a token, those on public paths, and all others by why
	// they were not; the map is never changed.
	known, public sample
	budgets       map[authn.Reason]*budget
}

func newRequestLog(log *zap.Logger, ledger *Ledger) *requestLog {
	l := &requestLog{log: log, ledger: ledger, begun: time.Now(), budgets: map[authn.Reason]*budget{}}
	for _, r := range authn.Reasons {
		l.budgets[r] = &budget{}
	}
	ledger.log = l
	return l
}

// A sample is of the requests let through for one reason. They are many: all that
// happens to nearly all of them is that the next line is seen not to be due.
type sample struct {
	due      atomic.Int64 // the next line, in nanoseconds since the log's beginning
	unlogged atomic.Int64 // requests without one since the last, as far as the ledger has told
}

func (l *requestLog) sampleOf(r authn.Reason) *sample {
	if r == authn.OK {
		return &l.known
	}
	return &l.public
}

// sampled reports whether a request has a line, and how many had none since the last.
func (l *requestLog) sampled(d *Done) (missing int, ok bool) {
	s := l.sampleOf(d.Reason)
	at, due := int64(d.End.Sub(l.begun)), s.due.Load()
	if at < due || !s.due.CompareAndSwap(due, at+int64(sampleEvery)) {
		return 0, false
	}
	l.ledger.Settle()
	return int(s.unlogged.Swap(0)), true
}

// A budget is what one reason may write in a second.
type budget struct {
	mu      sync.Mutex
	began   time.Time // of the second
	written int
	missing int // lines not written since the last that was
}

// take reports whether there is a line left, and how many were not written before
// it. The first that is not written calls later once the second is over.
func (b *budget) take(now time.Time, later func()) (missing int, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Sub(b.began) >= time.Second {
		b.began, b.written = now, 0
	}
	if b.written < fullLines {
		b.written++
		missing, b.missing = b.missing, 0
		return missing, true
	}
	b.missing++
	if b.missing == 1 {
		time.AfterFunc(time.Second-now.Sub(b.began), later)
	}
	return 0, false
}

// rest returns how many lines were not written.
func (b *budget) rest() (missing int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	missing, b.missing = b.missing, 0
	return missing
}

// add writes x's line, or counts it: what was let through with the ledger's help.
func (l *requestLog) add(x *exchange, d *Done) {
	level, through, missing := levelOf(x), letThrough(x.reason), 0
	if !l.log.Core().Enabled(zap.DebugLevel) && level > zap.DebugLevel && x.ended == nil {
		if !l.log.Core().Enabled(level) {
			return
		}
		var ok bool
		if through {
			missing, ok = l.sampled(d)
			d.unlogged = !ok
		} else {
			b := l.budgets[x.reason]
			missing, ok = b.take(d.End, func() { l.tell(level, x.reason, b.rest()) })
		}
		if !ok {
			return
		}
	}
	ce := l.log.Check(level, "request")
	if ce == nil {
		return
	}
	fields := x.fields(d.Took)
	if through && missing > 0 {
		fields = append(fields, zap.Int("unlogged", missing))
	}
	ce.Write(fields...)
	if !through {
		l.tell(level, x.reason, missing)
	}
}

func letThrough(r authn.Reason) bool { return r == authn.OK || r == authn.Public }

// tell says how many requests of a reason have no line.
func (l *requestLog) tell(level zapcore.Level, r authn.Reason, missing int) {
	if missing > 0 {
		l.log.Log(level, "more requests like these, which have no line each", zap.String("reason", string(r)), zap.Int("count", missing))
	}
}

// fields are documented in docs/log.md. They never hold the query, where some
// callers keep secrets.
func (x *exchange) fields(took time.Duration) []zap.Field {
	fields := make([]zap.Field, 0, 16)
	fields = append(fields,
		zap.Int("code", x.code),
		zap.String("reason", string(x.reason)),
		zap.String("method", shorten(x.in.Method)),
		zap.String("path", shorten(x.target.path)))
	text := func(name, value string) {
		if value != "" {
			fields = append(fields, zap.String(name, value))
		}
	}
	if x.route != nil {
		text("route", x.route.Path)
	}
	if x.peer.IsValid() { // a unix socket's other end has no address
		fields = append(fields, zap.Stringer("peer", x.peer))
	}
	text("subject", x.subject())
	text("jti", shorten(x.identity.Token.ID))
	if parent, ok := traceparent.Of(x.in.Header); ok {
		text("trace", parent.Trace)
	}
	text("detail", shorten(x.detail))
	fields = append(fields, zap.Duration("took", took.Round(time.Microsecond)))
	if x.decided > 0 {
		fields = append(fields, zap.Duration("decided", x.decided.Round(time.Microsecond)))
	}
	return fields
}

// subject is who called, or whose token was refused; "" where that is not proven.
func (x *exchange) subject() string {
	if x.identity.Subject != "" {
		return x.identity.Subject
	}
	return x.whose
}

// done is what the observer is told of x, which is over now.
func (x *exchange) done() (d Done) {
	took := time.Since(x.begun)
	d = Done{Code: x.code, Reason: x.reason, Took: took, End: x.begun.Add(took), Subject: x.subject(), Token: x.token}
	if x.route != nil {
		d.Route = x.route.Path
	}
	d.Stream, d.Refused = x.flight.kind > plain, x.refused
	if !letThrough(x.reason) {
		d.Explain = x.explain
	}
	return d
}

func (x *exchange) explain() Explanation {
	e := Explanation{Path: shorten(x.target.path), Detail: shorten(x.detail)}
	if x.peer.IsValid() {
		e.Peer = x.peer.String()
	}
	return e
}

func levelOf(x *exchange) zapcore.Level {
	if x.ended != nil {
		return zap.InfoLevel
	}
	switch x.reason {
	case authn.OK, authn.Public:
		return zap.InfoLevel
	case authn.ClientGone:
		return zap.DebugLevel
	case authn.Overload:
		// Whoever has the limit says, now and then, how many there were.
		return zap.DebugLevel
	case authn.Internal:
		return zap.ErrorLevel
	}
	if x.code >= 500 || x.answered {
		return zap.WarnLevel // an outage, or an app that broke off
	}
	return zap.InfoLevel
}

// maxLogged is enough to tell requests apart. A path may be as long as all
// headers together.
const maxLogged = 256

// shorten makes what a caller wrote fit for our log: some send their token as a
// path, and anything may be a method.
//
// What would steer a terminal, or turn the line around, is not written: such bytes
// are not all odd in a path.
func shorten(s string) string {
	s = strings.Map(plainly, authn.Redact(s))
	if len(s) > maxLogged {
		return s[:maxLogged] + "..."
	}
	return s
}

func plainly(r rune) rune {
	if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
		return unicode.ReplacementChar
	}
	return r
}
