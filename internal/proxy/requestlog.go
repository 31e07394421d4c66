package proxy

import (
	"strings"
	"sync"
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
	// sampledLines is the same for requests let through. They are there to be
	// found, and metrics count them.
	sampledLines = 1
)

// A requestLog writes what became of requests. At level debug each has a line.
// Otherwise a second has so many for each reason, and then one with the count.
type requestLog struct {
	log     *zap.Logger
	budgets map[authn.Reason]*budget // never changed
}

func newRequestLog(log *zap.Logger) *requestLog {
	l := &requestLog{log: log, budgets: map[authn.Reason]*budget{}}
	for _, r := range authn.Reasons {
		b := &budget{lines: fullLines}
		if r == authn.OK || r == authn.Public {
			b.lines = sampledLines
		}
		l.budgets[r] = b
	}
	return l
}

// A budget is what one reason may write in a second.
type budget struct {
	lines int

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
	if b.written < b.lines {
		b.written++
		missing, b.missing = b.missing, 0
		return missing, true
	}
	b.missing++
	if b.missing == 1 && later != nil {
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

// add writes x's line, or counts it.
func (l *requestLog) add(x *exchange, took time.Duration) {
	level, through := levelOf(x), x.reason == authn.OK || x.reason == authn.Public
	missing := 0
	if !l.log.Core().Enabled(zap.DebugLevel) && level > zap.DebugLevel && x.ended == nil {
		if !l.log.Core().Enabled(level) {
			return
		}
		var ok bool
		b := l.budgets[x.reason]
		var later func()
		if !through {
			later = func() { l.tell(level, x.reason, b.rest()) }
		}
		if missing, ok = b.take(x.begun.Add(took), later); !ok {
			return
		}
	}
	ce := l.log.Check(level, "request")
	if ce == nil {
		return
	}
	fields := x.fields(took)
	if through && missing > 0 {
		fields = append(fields, zap.Int("unlogged", missing))
	}
	ce.Write(fields...)
	if !through {
		l.tell(level, x.reason, missing)
	}
}

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

// done is what the observer is told of x.
func (x *exchange) done(took time.Duration) Done {
	d := Done{Code: x.code, Reason: x.reason, Took: took, End: x.begun.Add(took), Subject: x.subject(), Token: x.identity.Token}
	if x.route != nil {
		d.Route = x.route.Path
	}
	d.Stream, d.Refused = x.flight.kind > plain, x.refused
	if x.reason != authn.OK && x.reason != authn.Public {
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
