package proxy

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"sallyport/internal/authn"
)

// requestLogOf returns a log of that level, and a request to be logged.
func requestLogOf(level zapcore.Level) (*observer.ObservedLogs, func(authn.Reason)) {
	core, logs := observer.New(level)
	ledger := NewLedger(nobody{})
	l := newRequestLog(zap.New(core), ledger)
	return logs, func(r authn.Reason) {
		x := &exchange{in: httptest.NewRequest(http.MethodGet, "/", nil), reason: r, code: 401, begun: time.Now()}
		if r == authn.OK || r == authn.Public {
			x.code = 200
		}
		done := x.done()
		l.add(x, &done)
		ledger.add(&done)
	}
}

// tally counts requests, and adds up what lines say of others.
func tally(logs *observer.ObservedLogs) (written, told int) {
	for _, e := range logs.TakeAll() {
		m := e.ContextMap()
		if e.Message == "request" {
			written++
		}
		for _, name := range []string{"count", "unlogged"} {
			if n, ok := m[name].(int64); ok {
				told += int(n)
			}
		}
	}
	return written, told
}

func TestRequestLogBudget(t *testing.T) {
	for _, tc := range []struct {
		name          string
		level         zapcore.Level
		reason        authn.Reason
		first, second int // requests in the first second, and in the one after it
		written, told int
	}{
		{"few refusals", zap.InfoLevel, authn.Missing, 20, 20, 40, 0},
		{"a flood", zap.InfoLevel, authn.Signature, 10_000, 0, 20, 9_980},
		{"a flood that goes on", zap.InfoLevel, authn.Signature, 10_000, 10_000, 40, 19_960},
		{"a flood, at debug", zap.DebugLevel, authn.Signature, 500, 0, 500, 0},
		{"a flood, at warn", zap.WarnLevel, authn.Signature, 500, 0, 0, 0},
		{"let through", zap.InfoLevel, authn.OK, 100, 1, 2, 99},
		{"let through, at debug", zap.DebugLevel, authn.OK, 100, 1, 101, 0},
		{"overload", zap.InfoLevel, authn.Overload, 100, 100, 0, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			logs, add := requestLogOf(tc.level)
			for range tc.first {
				add(tc.reason)
			}
			time.Sleep(time.Second)
			for range tc.second {
				add(tc.reason)
			}
			time.Sleep(time.Second) // the last count comes by itself
			synctest.Wait()
			if written, told := tally(logs); written != tc.written || told != tc.told {
				t.Errorf("%s: %d lines, which tell of %d others, want %d and %d", tc.name, written, told, tc.written, tc.told)
			}
		})
	}
}

// A flood of one reason hides no other.
func TestRequestLogReasons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs, add := requestLogOf(zap.InfoLevel)
		for range 1000 {
			add(authn.Signature)
		}
		add(authn.Expired)
		if n := logs.Filter(func(e observer.LoggedEntry) bool { return e.ContextMap()["reason"] == "expired" }).Len(); n != 1 {
			t.Errorf("%d lines, want one", n)
		}
		time.Sleep(time.Second)
	})
}

// What would steer a terminal is not written.
func TestShorten(t *testing.T) {
	for path, want := range map[string]string{
		"/plain/ä":        "/plain/ä",
		"/\u009b31mred":   "/\ufffd31mred",
		"/a\u202eb\u2028": "/a\ufffdb\ufffd",
		"/\x1b[0m":        "/\ufffd[0m",
	} {
		if got := shorten(path); got != want {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
}
