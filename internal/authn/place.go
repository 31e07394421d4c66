package authn

import "context"

type placeKey struct{}

// WithPlace returns a context for a decision that has a place among those that
// compute at the same time. Leave gives the place back; it may be called more
// than once.
func WithPlace(ctx context.Context, leave func()) context.Context {
	return context.WithValue(ctx, placeKey{}, leave)
}

// Waits gives the place back that ctx carries, if there is one. Whoever is about
// to wait for somebody else's answer calls it, so that nobody waits along.
func Waits(ctx context.Context) {
	if leave, ok := ctx.Value(placeKey{}).(func()); ok {
		leave()
	}
}
