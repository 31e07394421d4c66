package scenarios

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"sallyport/e2e/caller"
	"sallyport/e2e/wait"
)

// rotationTime is how long the kubelet may take to write new tokens once it has
// been restarted. 3 s were seen.
const rotationTime = time.Minute

// reviewTime is --recheck's default of 30 s, and as much again for two busy
// cores.
const reviewTime = time.Minute

// enough requests are some seconds' load, so that also what is late would be
// seen.
const enough = 1000

// Given a caller that reads its token file for each request, and constant load,
// when the kubelet is restarted, which then has new tokens made,
// then no request fails while ours and the caller's are replaced, the metrics
// and the log tell of it, and we ask the API server with our new token.
func TestOwnRotation(t *testing.T) {
	g, c := deploy(t), newCaller(t)
	g.waitReached(t, c)
	before, rotations := c.token(t, ownToken), g.rotations(t)
	began := time.Now()
	c.startLoad(t, caller.Load{
		Request: caller.Request{URL: g.service + "/load", TokenFile: ownToken},
		Workers: 8,
		Pause:   20 * time.Millisecond, // some hundred requests a second, which leaves two cores time for the rest
	})

	c.waitSent(t, enough) // with the old tokens

	if err := world.cluster.Kubelet.Restart(); err != nil {
		t.Fatal(err)
	}
	c.waitRotated(t, before)
	id := g.waitRotated(t, rotations, began)
	reviewedWith(t, id)
	c.waitSent(t, c.readLoad(t).Sent+enough) // with the new ones

	tally := c.stopLoad(t)
	t.Logf("%d requests in %.0f s, %d failed, with %d tokens of the caller's",
		tally.Sent, time.Since(began).Seconds(), tally.Failed(), len(tally.Tokens))
	if tally.Failed() > 0 {
		t.Errorf("statuses %v: %q", tally.Statuses, tally.Problems)
	}
	if len(tally.Tokens) < 2 {
		t.Errorf("the load was sent with the tokens %v, want an old one and a new one", tally.Tokens)
	}
	if n := g.metric(t, "sallyport_tokenreviews_total", `result="unauthorized"`); n != 0 {
		t.Errorf("the API server has refused our own token %v times", n)
	}
}

// waitSent waits until the load has sent n requests.
func (c *callingPod) waitSent(t *testing.T, n int) {
	t.Helper()
	err := wait.For(t.Context(), "the load", time.Minute, func(context.Context) error {
		if sent := c.readLoad(t).Sent; sent < n {
			return fmt.Errorf("%d of %d requests sent", sent, n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (g *gate) rotations(t *testing.T) float64 {
	t.Helper()
	return g.metric(t, "sallyport_own_token_rotations_total")
}

// waitRotated waits until the caller has another token than before, and has sent
// it.
func (c *callingPod) waitRotated(t *testing.T, before caller.Token) {
	t.Helper()
	err := wait.For(t.Context(), "a new token of the caller's", rotationTime, func(context.Context) error {
		if now := c.token(t, ownToken); now.Fingerprint == before.Fingerprint {
			return fmt.Errorf("still that of %v", before.Issued)
		}
		if tally := c.readLoad(t); len(tally.Tokens) < 2 {
			return fmt.Errorf("not sent yet, of %d requests", tally.Sent)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// waitRotated waits until the gate tells of a new token of its own, by metrics
// and log, and returns the token's id.
func (g *gate) waitRotated(t *testing.T, rotations float64, since time.Time) (id string) {
	t.Helper()
	err := wait.For(t.Context(), "a new token of our own", rotationTime, func(context.Context) error {
		if g.rotations(t) <= rotations {
			return errors.New("the metrics know of none")
		}
		lines := g.logged(t, func(line map[string]any) bool {
			return line["msg"] == "own token rotated" && loggedSince(line, since)
		})
		if len(lines) == 0 {
			return errors.New("the log knows of none")
		}
		id, _ = lines[len(lines)-1]["token_id"].(string)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if id == "" {
		t.Fatal("the log line has no token_id")
	}
	return id
}

func loggedSince(line map[string]any, since time.Time) bool {
	text, _ := line["time"].(string)
	at, err := time.Parse(time.RFC3339, text)
	return err == nil && !at.Before(since.Truncate(time.Millisecond)) // as precise as the log
}

// reviewedWith waits until the API server has answered a TokenReview that was
// asked for with the token of this id.
func reviewedWith(t *testing.T, id string) {
	t.Helper()
	err := wait.For(t.Context(), "a TokenReview with our new token", reviewTime, func(context.Context) error {
		data, err := os.ReadFile(world.cluster.AuditLog())
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for line := range strings.Lines(string(data)) {
			if reviewedBy(line) == "JTI="+id {
				return nil
			}
		}
		return errors.New("none")
	})
	if err != nil {
		t.Error(err)
	}
}

// reviewedBy returns the id of the credential that a TokenReview was asked for
// with, if it was created.
func reviewedBy(line string) string {
	var event struct {
		User           struct{ Extra map[string][]string }
		ResponseStatus struct{ Code int }
	}
	// The last line may be half written.
	if json.Unmarshal([]byte(line), &event) != nil || event.ResponseStatus.Code != 201 {
		return ""
	}
	return strings.Join(event.User.Extra["authentication.kubernetes.io/credential-id"], " ")
}
