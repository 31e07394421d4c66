package scenarios

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"sallyport/e2e/caller"
	"sallyport/e2e/wait"
	"sallyport/internal/authn"
)

// removalPause is keyRefresh.removalPause's default: the next fetch is so long
// after the first that lacks a key, and decides.
const removalPause = time.Minute

// busy is granted beyond that, for a fetch on two busy cores.
const busy = 15 * time.Second

// Given people whose tokens are let in,
// when the provider signs with a new key, and later drops all others,
// then a token by the new key is good at once, and those by dropped keys are
// refused when two fetches have lacked them, not earlier.
func TestPeopleKeys(t *testing.T) {
	t.Parallel()
	p, c := newProvider(t), newCaller(t)
	g := deployFor(t, p, c, "")
	call := func(token string) caller.Answer {
		return c.call(t, caller.Request{URL: g.service + "/people", Token: token})
	}
	// good expects 200 of the first request, and says how long it took.
	good := func(what, token string) {
		t.Helper()
		began := time.Now()
		if a := call(token); a.Status != http.StatusOK {
			t.Fatalf("%s: %v", what, a)
		}
		t.Logf("%s: good after %v", what, time.Since(began).Round(time.Millisecond))
	}
	first := p.token(t, mara())
	good("the first key", first)

	p.waitQuiet(t)
	p.addKey(t)
	second := p.token(t, mara())
	good("the second key", second)
	good("the first key, beside it", first)

	p.waitQuiet(t)
	p.addKey(t)
	p.dropKeys(t)
	third, dropped := p.token(t, mara()), time.Now()
	good("the third key", third) // this fetch is the first to lack the others
	for _, old := range []string{first, second} {
		good("a dropped key", old)
	}
	err := wait.For(t.Context(), "the dropped keys' end", removalPause+busy, func(context.Context) error {
		for _, old := range []string{first, second} {
			switch a := call(old); a.Status {
			case http.StatusUnauthorized:
			case http.StatusOK:
				return fmt.Errorf("good %.0f s after they were dropped", time.Since(dropped).Seconds())
			default:
				return wait.Stop(errors.New(a.String()))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(dropped)
	t.Logf("dropped keys: refused after %.1f s", took.Seconds())
	if took < removalPause {
		t.Error("that is too early: API servers and providers differ during a rollout")
	}
	g.turnsDown(t, c, first, "dropped", authn.UnknownKey)
	good("the third key, afterwards", third)
	p.sawNoCredential(t)
}
