package authn

import (
	"context"
	"errors"
	"slices"
)

// An Issuers picks who decides about a token by the issuer that it claims to be
// from. That claim is unverified: it chooses who decides, and nothing else. All
// fields but Others are required.
type Issuers struct {
	// Claimed returns the token's iss, or a refusal of its shape.
	Claimed func(token string) (issuer string, err error)
	// Cluster decides about every token that is not one of the Others'. It
	// knows which issuers are the cluster's, or finds out.
	Cluster Authenticator
	// Others decide about the tokens of one issuer each.
	Others map[string]Authenticator
}

// Authenticate implements [Authenticator].
func (i *Issuers) Authenticate(ctx context.Context, token string) (Identity, error) {
	if len(i.Others) == 0 {
		return i.Cluster.Authenticate(ctx, token) // it reads the token itself
	}
	issuer, err := i.Claimed(token)
	if err != nil {
		Tell(ctx, Step{Check: "rules", Err: err})
		return Identity{}, err
	}
	if other, ok := i.Others[issuer]; ok {
		Tell(ctx, Step{Check: "rules", Note: "those of its issuer"})
		return other.Authenticate(ctx, token)
	}
	Tell(ctx, Step{Check: "rules", Note: "the cluster's"})
	return i.Cluster.Authenticate(ctx, token)
}

// Both admits a token only if both say yes: First, and then the API server.
// And both must name the same caller. All functions are required.
type Both struct {
	// First proves the token here (mode hybrid), or only reads what it claims
	// (mode tokenreview). Either way it refuses what cannot succeed, so that
	// such tokens cost the API server nothing.
	First func(ctx context.Context, token string) (Identity, error)
	// Review is the API server's word.
	Review Authenticator
	// ServeVerified admits what First proved while the API server gives no
	// answer. It must be false where First proves nothing.
	ServeVerified bool
	// Mismatched is told when the two name different callers. That is a bug
	// or an attack: one of the two was made to believe another token.
	Mismatched func(first, review Identity)
}

// Authenticate implements [Authenticator].
func (b *Both) Authenticate(ctx context.Context, token string) (Identity, error) {
	first, err := b.First(ctx, token)
	if err != nil {
		Tell(ctx, Step{Check: "review", Skipped: true})
		return Identity{}, err
	}
	id, err := b.Review.Authenticate(ctx, token)
	Tell(ctx, Step{Check: "review", Err: err})
	if b.ServeVerified && first.Proof != nil && errors.Is(err, ErrUnavailable) {
		Tell(ctx, Step{Check: "without a review", Note: "--when-unavailable=serve-verified"})
		first.Standing = Unconfirmed
		return first, nil
	}
	if err != nil {
		return Identity{}, err
	}
	id, err = b.agree(first, id)
	Tell(ctx, Step{Check: "agreement", Err: err})
	return id, err
}

// agree returns the reviewed caller, if it is the one that the token names.
func (b *Both) agree(first, id Identity) (Identity, error) {
	if id.Subject != first.Subject || id.UID != first.UID {
		b.Mismatched(first, id)
		return Identity{}, Refuse(Mismatch, "the token says %q (uid %q), the API server %q (uid %q)", first.Subject, first.UID, id.Subject, id.UID)
	}
	id.Audiences = slices.DeleteFunc(slices.Clone(id.Audiences), func(a string) bool {
		return !slices.Contains(first.Audiences, a)
	})
	if len(id.Audiences) == 0 {
		return Identity{}, Refuse(Audience, "the API server vouches for none of the token's audiences")
	}
	id.Expires, id.Proof, id.Token, id.Standing = first.Expires, first.Proof, first.Token, Confirmed
	return id, nil
}
