package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"sallyport/internal/minicluster"
)

// keptCopy: one client reads its token once, and the other, with the same
// volume, reads it anew each time.
func keptCopy(ctx context.Context, t *take) error {
	copied, err := t.current()
	if err != nil {
		return err
	}
	end := t.steady.mark()
	life := left(copied)
	if err := t.served(ctx, "keeper", "a copy of "+short(copied)+", "+seconds(life)+" left", copied); err != nil {
		return err
	}
	a, took, err := t.until(ctx, life+slack, http.StatusUnauthorized, "keeper", "the same copy", copied)
	others := end()
	t.notes = append(t.notes, others.String())
	switch {
	case err != nil:
		return err
	case took < life-slack:
		return fmt.Errorf("refused %s before it expired", seconds(life-took))
	}
	return errors.Join(a.refused(saysExpired), others.err())
}

// podDeleted: the token itself stays good, and only the API server knows.
func podDeleted(ctx context.Context, t *take) error {
	const pod = "cart-1"
	t.cluster.CreatePod(namespace, pod, callerAccount, "")
	token, err := t.cluster.Token(ask(pod, 0, ourAudience))
	if err != nil {
		return err
	}
	if err := t.served(ctx, pod, "token "+short(token)+", good for an hour", token); err != nil {
		return err
	}
	t.cluster.DeletePod(namespace, pod, 0)
	t.story.say("apiserver", "pod %s is deleted, by force; this API server forgets at once,", pod)
	t.story.say("apiserver", "a real one may go on saying yes for 10 s")
	a, took, err := t.until(ctx, recheck+slack, http.StatusUnauthorized, pod, "the same token", token)
	if err != nil {
		return err
	}
	t.story.say("gate", "noticed after %s", seconds(took))
	return a.refused(saysNothing)
}

// keyRotated: the issuer publishes a key, signs with it one cool-down later, and
// removes the old one when nobody needs it.
func keyRotated(ctx context.Context, t *take) error {
	// Fresh tokens, so that expiry has no part in what follows.
	if err := t.rotate(); err != nil {
		return err
	}
	old, err := t.current()
	if err != nil {
		return err
	}
	end := t.steady.mark()
	oldKey := t.cluster.SigningKey()
	if err := t.newKey(ctx); err != nil {
		return err
	}
	fresh, err := t.current()
	if err != nil {
		return err
	}
	if err := errors.Join(
		t.served(ctx, "client", "token "+short(fresh)+", of the new key", fresh),
		t.served(ctx, "keeper", "token "+short(old)+", of the old key", old),
	); err != nil {
		return err
	}
	t.cluster.RemoveKey(oldKey)
	t.story.say("issuer", "removes the old key")
	// Two refreshes, the second of which is not before the pause is over.
	limit := 2*keyInterval + keyPause + slack
	removed := time.Now()
	a, took, err := t.until(ctx, limit, http.StatusUnauthorized, "keeper", "token "+short(old)+", of the removed key", old)
	if err != nil {
		return err
	}
	t.story.say("gate", "noticed after %s", seconds(took))
	// The client has to be served while the gate forgets the key, too.
	if err := pause(ctx, limit-slack-time.Since(removed)); err != nil {
		return err
	}
	others := end()
	t.notes = append(t.notes, others.String())
	return errors.Join(a.refused(saysNothing), others.err())
}

// newKey publishes a key, and signs with it one cool-down later.
func (t *take) newKey(ctx context.Context) error {
	kid, err := t.cluster.AddKey()
	if err != nil {
		return err
	}
	t.story.say("issuer", "publishes key %s, and does not use it yet", kid[:8])
	if err := pause(ctx, keyCooldown); err != nil {
		return err
	}
	if err := t.cluster.SignWith(kid); err != nil {
		return err
	}
	t.story.say("issuer", "signs with it from now on")
	return t.rotate()
}

// apiServerDown: who was confirmed before goes on, and who was not has to wait.
func apiServerDown(ctx context.Context, t *take) error {
	const pod = "cart-2"
	t.cluster.CreatePod(namespace, pod, callerAccount, "")
	fresh, err := t.cluster.Token(ask(pod, 0, ourAudience))
	if err != nil {
		return err
	}
	// Both tokens have to last until the kubelet gets others again.
	if err := t.rotate(); err != nil {
		return err
	}
	known, err := t.current()
	if err != nil {
		return err
	}
	if err := t.served(ctx, "client", "token "+short(known), known); err != nil {
		return err
	}
	end := t.steady.mark()
	err = t.down(ctx, known, fresh, pod)
	if err := errors.Join(err, t.up()); err != nil {
		return err
	}
	a, took, err := t.until(ctx, recovery, http.StatusOK, pod, "token "+short(fresh), fresh)
	others := end()
	t.notes = append(t.notes, others.String())
	if err != nil {
		return err
	}
	t.story.say("gate", "served everybody again after %s", seconds(took))
	return errors.Join(a.served(fresh), others.err())
}

// down stops the API server, and asks until its last yes has become too old.
func (t *take) down(ctx context.Context, known, fresh, pod string) error {
	t.server.Stop()
	t.cluster.Fail(minicluster.Tokens, minicluster.Fault{Down: true})
	t.story.say("apiserver", "down; the kubelet gets no new tokens either")
	begun := time.Now()
	if err := t.away(ctx, fresh, pod); err != nil {
		return err
	}
	if err := pause(ctx, outage-time.Since(begun)); err != nil {
		return err
	}
	if err := t.served(ctx, "client", fmt.Sprintf("token %s, %s later", short(known), seconds(time.Since(begun))), known); err != nil {
		return err
	}
	if code, text := t.admin(ctx, "/readyz"); code != http.StatusOK {
		return fmt.Errorf("the outage made the gate unready: %d %s", code, text)
	}
	return t.away(ctx, fresh, pod)
}

// away demands the answer of nobody being there to ask: try again, and nothing
// against the token.
func (t *take) away(ctx context.Context, fresh, pod string) error {
	a := t.request(ctx, fresh)
	t.story.answered(pod, "token "+short(fresh)+", never seen", a)
	switch {
	case a.arrived != nil:
		return errors.New("the app was reached")
	case a.code != http.StatusServiceUnavailable || a.retry == "" || a.challenge != "":
		return fmt.Errorf("a new caller got %s, Retry-After %q, challenge %q", a.status(), a.retry, a.challenge)
	}
	return nil
}

func (t *take) up() error {
	t.cluster.Fail(minicluster.Tokens, minicluster.Fault{})
	if err := t.server.Start(); err != nil {
		return err
	}
	t.story.say("apiserver", "up again")
	return nil
}
