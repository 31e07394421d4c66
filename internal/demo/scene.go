package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// A scene shows one thing that the gate is for.
type scene struct {
	name  string
	about string // what it is about, in a few words
	// expect is what should come.
	expect string
	// play does it, and returns the first thing that was not as expected.
	play func(context.Context, *take) error
}

// An outcome is what came of a scene.
type outcome struct {
	scene
	came string
	took time.Duration
	err  error
}

// A take is one scene being played.
type take struct {
	*world
	number int
	asked  int      // requests so far
	codes  []string // the statuses, as they came
	notes  []string // what else belongs into the summary
}

// play plays the scenes, as far as ctx lets it.
func (w *world) play(ctx context.Context, scenes []scene) (outcomes []outcome) {
	for i, s := range scenes {
		if ctx.Err() != nil {
			break
		}
		w.story.title(i+1, s)
		t := &take{world: w, number: i + 1}
		begun, logged := time.Now(), w.logged()
		err := s.play(ctx, t)
		if ctx.Err() != nil {
			break
		}
		o := outcome{scene: s, came: t.came(), took: time.Since(begun), err: err}
		w.story.verdict(o.came, err)
		if err != nil {
			w.tail(logged)
		}
		outcomes = append(outcomes, o)
	}
	return outcomes
}

// came says what came, in the order in which it came.
func (t *take) came() string {
	var runs []string
	for i := 0; i < len(t.codes); {
		n := 1
		for i+n < len(t.codes) && t.codes[i+n] == t.codes[i] {
			n++
		}
		text := t.codes[i]
		if n > 1 {
			text += fmt.Sprintf(" x%d", n)
		}
		runs = append(runs, text)
		i += n
	}
	parts := append([]string{strings.Join(runs, ", ")}, t.notes...)
	return strings.Trim(strings.Join(parts, "; "), "; ")
}

// request calls the gate, and tells nobody.
func (t *take) request(ctx context.Context, token string, headers ...string) answer {
	t.asked++
	a := t.call(ctx, fmt.Sprintf("/scene/%d/%d", t.number, t.asked), token, headers...)
	t.codes = append(t.codes, a.status())
	return a
}

// served asks, and demands that the app saw who the token is from.
func (t *take) served(ctx context.Context, who, what, token string, headers ...string) error {
	a := t.request(ctx, token, headers...)
	t.story.answered(who, what, a)
	return a.served(token)
}

// served is nil where a is what a good token gets.
func (a answer) served(token string) error {
	switch {
	case a.code != http.StatusOK:
		return fmt.Errorf("not served: %s %s", a.status(), a.told())
	case a.arrived == nil:
		return errors.New("somebody else than the app answered")
	}
	switch c := callerOf(a.arrived); {
	case c.user != callerUser:
		return fmt.Errorf("the app saw %q, not %s", c.user, callerUser)
	case c.token != idOf(token):
		return fmt.Errorf("the app saw another token's id")
	case a.arrived.Get("Authorization") != "":
		return errors.New("the app got the token")
	}
	return nil
}

// refused asks, and demands a 401 that says so, and that the app saw nothing.
func (t *take) refused(ctx context.Context, who, what, token, says string) error {
	a := t.request(ctx, token)
	t.story.answered(who, what, a)
	return a.refused(says)
}

// refused is nil where a is a refusal of the token, with that description.
func (a answer) refused(says string) error {
	switch {
	case a.arrived != nil:
		return errors.New("the app was reached")
	case a.code != http.StatusUnauthorized:
		return fmt.Errorf("not refused: %s %s", a.status(), a.told())
	case !strings.Contains(a.challenge, `error="invalid_token"`):
		return fmt.Errorf("the challenge is %q", a.challenge)
	case a.description() != says:
		return fmt.Errorf("it says %q, not %q", a.description(), says)
	}
	return nil
}

// until asks every now and then, until the answer is of that code, and tells of
// the last. It returns how long that took; the error is that it took longer than
// limit.
func (t *take) until(ctx context.Context, limit time.Duration, code int, who, what, token string) (a answer, took time.Duration, err error) {
	begun := time.Now()
	for {
		a = t.request(ctx, token)
		took = time.Since(begun)
		late := took > limit
		if a.code == code || late || ctx.Err() != nil {
			t.story.answered(who, what, a)
			if a.code != code || late {
				err = fmt.Errorf("no %d within %s, but %s", code, seconds(limit), a.status())
			}
			return a, took, err
		}
		if err := pause(ctx, poll); err != nil {
			return a, took, err
		}
	}
}

// pause waits for what takes its time by nature.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
