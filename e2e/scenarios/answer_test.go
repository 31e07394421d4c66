package scenarios

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"sallyport/e2e/caller"
	"sallyport/e2e/wait"
	"sallyport/internal/authn"
)

// backTime is how soon the gate must decide again once what it needs is there.
// It asks every 5 s at least, an API server that has just been started forbids
// things for a while, until it has read all roles, and two busy cores take their
// time.
const backTime = 20 * time.Second

// noticeTime is how soon the gate must have noticed that something is missing:
// a review takes 3 s at most.
const noticeTime = 10 * time.Second

// with sends the token to the gate. The path says whose test it was.
func (g *gate) with(t *testing.T, c *callingPod, token string) caller.Answer {
	t.Helper()
	return c.call(t, caller.Request{URL: g.service + "/" + t.Name(), Token: token})
}

// admits waits until the gate lets the token in, and says how long it took. At
// most 0 is for now.
func (g *gate) admits(t *testing.T, c *callingPod, token string, most time.Duration) time.Duration {
	t.Helper()
	return g.answers(t, c, token, most, http.StatusOK, authn.OK)
}

// turnsAway waits until the gate answers 503 with Retry-After, and the log names
// the reason.
func (g *gate) turnsAway(t *testing.T, c *callingPod, token string, most time.Duration, reason authn.Reason) time.Duration {
	t.Helper()
	return g.answers(t, c, token, most, http.StatusServiceUnavailable, reason)
}

// refuses waits until the gate answers 401, and the log names the reason.
func (g *gate) refuses(t *testing.T, c *callingPod, token string, most time.Duration, reason authn.Reason) time.Duration {
	t.Helper()
	return g.answers(t, c, token, most, http.StatusUnauthorized, reason)
}

func (g *gate) answers(t *testing.T, c *callingPod, token string, most time.Duration, status int, reason authn.Reason) time.Duration {
	t.Helper()
	began := time.Now()
	look := func(context.Context) error {
		a := g.with(t, c, token)
		if a.Status != status {
			return fmt.Errorf("answer: %v, want %d", a, status)
		}
		if a.Took > slowest {
			return wait.Stop(fmt.Errorf("%d took %v, more than a caller should wait", status, a.Took))
		}
		return complete(a)
	}
	var err error
	if most == 0 {
		err = look(t.Context())
	} else {
		err = wait.For(t.Context(), fmt.Sprintf("%d", status), most, look)
	}
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	if reason != authn.OK { // of those let through the log has a sample
		g.told(t, began, reason)
	}
	return took
}

// slowest is the longest that a caller waits for the gate's answer: it decides
// within 8 s, and two busy cores take their time.
const slowest = 9 * time.Second

// complete checks what each answer of its kind has.
func complete(a caller.Answer) error {
	switch {
	case a.Status == http.StatusServiceUnavailable && a.Header.Get("Retry-After") == "":
		return wait.Stop(fmt.Errorf("503 without Retry-After: %v", a.Header))
	case a.Status == http.StatusUnauthorized && a.Header.Get("WWW-Authenticate") == "":
		return wait.Stop(fmt.Errorf("401 without WWW-Authenticate: %v", a.Header))
	}
	return nil
}

// told waits until the gate's log has a line of this test's with the reason, not
// older than since.
func (g *gate) told(t *testing.T, since time.Time, reason authn.Reason) {
	t.Helper()
	g.toldUntil(t, since, time.Now().Add(noticeTime), reason)
}

// toldUntil is told for the lines up to until: the log of what an API server's
// absence did is to be had after it.
func (g *gate) toldUntil(t *testing.T, since, until time.Time, reason authn.Reason) {
	t.Helper()
	mine := func(line map[string]any) bool {
		return line["path"] == "/"+t.Name() && !letThrough(line) && loggedSince(line, since) && !loggedSince(line, until)
	}
	g.waitLogged(t, "reason "+string(reason), mine, func(line map[string]any) bool { return line["reason"] == string(reason) })
}

// waitLogged waits until the last of some lines is as wanted.
func (g *gate) waitLogged(t *testing.T, what string, some, want func(line map[string]any) bool) {
	t.Helper()
	err := wait.For(t.Context(), what, 5*time.Second, func(context.Context) error {
		lines := g.logged(t, some)
		if len(lines) == 0 || !want(lines[len(lines)-1]) {
			return fmt.Errorf("%d lines, the last: %v", len(lines), lines[max(0, len(lines)-1):])
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
