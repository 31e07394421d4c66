package scenarios

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"sallyport/e2e/provider"
	"sallyport/e2e/wait"
)

// token has the provider make a token.
func (p *peoplePod) token(t *testing.T, person provider.Person) (token string) {
	t.Helper()
	p.order(t, "POST", "token", person, &token)
	learn(token)
	return token
}

// addKey makes a key that signs from now on, and returns its id.
func (p *peoplePod) addKey(t *testing.T) string {
	t.Helper()
	var keys provider.Keys
	p.order(t, "POST", "keys", nil, &keys)
	return keys.Signing
}

// dropKeys leaves only the key that signs.
func (p *peoplePod) dropKeys(t *testing.T) {
	t.Helper()
	p.order(t, "DELETE", "keys", nil, nil)
}

func (p *peoplePod) behave(t *testing.T, b provider.Behaviour) {
	t.Helper()
	p.order(t, "PUT", "behaviour", b, nil)
}

func (p *peoplePod) seen(t *testing.T) (seen provider.Seen) {
	t.Helper()
	p.order(t, "GET", "requests", nil, &seen)
	return seen
}

// waitQuiet waits until nobody has asked the provider for the cool-down: then the
// gate asks at once when it meets a key that it does not know.
func (p *peoplePod) waitQuiet(t *testing.T) {
	t.Helper()
	const cooldown = 10 * time.Second // keyRefresh.cooldown's default
	asked, since := len(p.seen(t).Requests), time.Now()
	err := wait.For(t.Context(), "the cool-down", 6*cooldown, func(context.Context) error {
		if n := len(p.seen(t).Requests); n != asked {
			asked, since = n, time.Now()
		}
		if quiet := time.Since(since); quiet <= cooldown {
			return fmt.Errorf("quiet for %.0f s", quiet.Seconds())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// order talks to the provider's control.
func (p *peoplePod) order(t *testing.T, method, path string, in, out any) {
	t.Helper()
	data, err := world.ask(t.Context(), method, &p.pod, provider.ControlPort, path, in)
	if err == nil && out != nil {
		err = json.Unmarshal(data, out)
	}
	if err != nil {
		t.Fatalf("provider, %s %s: %v: %s", method, path, err, data)
	}
}

// sawNoCredential checks everything that the provider was asked: for public
// documents, with nothing in it that could be a token.
func (p *peoplePod) sawNoCredential(t *testing.T) {
	t.Helper()
	seen := p.seen(t)
	if len(seen.Requests) == 0 || seen.More > 0 {
		t.Fatalf("the provider has seen %d requests, and %d more that it did not keep", len(seen.Requests), seen.More)
	}
	for _, r := range seen.Requests {
		public := r.Method == "GET" && (r.Path == "/keys" || r.Path == "/.well-known/openid-configuration")
		plain := slices.Equal(r.Headers, []string{"Accept-Encoding", "User-Agent"})
		if !public || !plain || r.Query || r.Body {
			t.Errorf("the provider was asked %+v", r)
		}
	}
	t.Logf("the provider was asked %d times", len(seen.Requests))
}
