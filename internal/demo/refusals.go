package demo

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"

	"sallyport/internal/minicluster"
)

// What the gate says of the tokens below: all that a caller may know.
const (
	saysNothing     = "the token was not accepted"
	saysAudience    = "the token is for another audience"
	saysAPIAudience = "the token is for the API server"
	saysExpired     = "the token has expired"
	saysLegacy      = "the token is a service account Secret token"
)

func goodCaller(ctx context.Context, t *take) error {
	token, err := t.current()
	if err != nil {
		return err
	}
	return errors.Join(
		t.served(ctx, "client", "token "+short(token), token),
		t.served(ctx, "client", "the same, claiming to be admin", token, userHeader, "admin", "X-Remote-Group", "system:masters"),
	)
}

func noToken(ctx context.Context, t *take) error {
	a := t.request(ctx, "")
	t.story.answered("stranger", "no token", a)
	switch {
	case a.arrived != nil:
		return errors.New("the app was reached")
	case a.code != http.StatusUnauthorized || !strings.HasPrefix(a.challenge, "Bearer "):
		return fmt.Errorf("not refused: %s %s", a.status(), a.told())
	case strings.Contains(a.challenge, "error="):
		return errors.New("the challenge names an error, but nobody tried a token") // RFC 6750, 3.1
	}
	return nil
}

func otherAudience(ctx context.Context, t *take) error {
	token, err := t.token("payments.shop.svc")
	if err != nil {
		return err
	}
	return t.refused(ctx, "client", "token for payments.shop.svc", token, saysAudience)
}

func apiAudience(ctx context.Context, t *take) error {
	alone, err := t.token(minicluster.DefaultIssuer)
	if err != nil {
		return err
	}
	both, err := t.token(ourAudience, minicluster.DefaultIssuer)
	if err != nil {
		return err
	}
	// Whoever gets the second could use it at the API server, and the gate is
	// one of its audiences all the same.
	return errors.Join(
		t.refused(ctx, "client", "token for the API server", alone, saysAudience),
		t.refused(ctx, "client", "token for both, the gate and it", both, saysAPIAudience),
	)
}

func forged(ctx context.Context, t *take) error {
	// A key of its own makes a stranger of it, whatever it calls itself.
	stranger, err := minicluster.New(minicluster.Options{Keys: minicluster.SharedKeys(2, 1)})
	if err != nil {
		return err
	}
	claims, err := t.cluster.Claims(ask(callerPod, 0, ourAudience))
	if err != nil {
		return err
	}
	real, err := t.cluster.Sign(nil, claims)
	if err != nil {
		return err
	}
	ours, err := stranger.Sign(t.cluster.Header(), claims)
	if err != nil {
		return err
	}
	theirs, err := stranger.Sign(nil, claims)
	if err != nil {
		return err
	}
	return errors.Join(
		t.refused(ctx, "forger", "another key, under our key's name", ours, saysNothing),
		t.refused(ctx, "forger", "another key, under its own name", theirs, saysNothing),
		t.refused(ctx, "forger", "a good token, one letter changed", spoil(real), saysNothing),
	)
}

// spoil changes one letter in the middle of a token's signature, where every
// bit counts.
func spoil(token string) string {
	b := []byte(token)
	i := len(b) - (len(token)-strings.LastIndexByte(token, '.'))/2
	if b[i] == 'A' {
		b[i] = 'B'
	} else {
		b[i] = 'A'
	}
	return string(b)
}

// article holds the tokens that an article on service account tokens in
// Kubernetes 1.24 shows: two of the kind that never expires, and one that an
// API server extended to a year.
//
//go:embed article
var article embed.FS

func fromArticle(ctx context.Context, t *take) error {
	var errs []error
	for _, a := range []struct{ name, what, says string }{
		{"legacy-auto", "Secret token, made by the cluster", saysLegacy},
		{"legacy-manual", "Secret token, made by hand", saysLegacy},
		{"extended", "a pod's token, extended to a year", saysAudience},
	} {
		b, err := fs.ReadFile(article, "article/"+a.name+".token")
		if err != nil {
			return err
		}
		errs = append(errs, t.refused(ctx, "reader", a.what, strings.TrimSpace(string(b)), a.says))
	}
	return errors.Join(errs...)
}
