package authn

import "context"

// A Step is what one check of a decision came to, for those who want to know why
// it ended as it did.
type Step struct {
	// Check names it.
	Check string
	// Err is what the decision would end with if no other check said no before;
	// nil where the token passed.
	Err error
	// Skipped means that the check was not made, as one that it rests on said no.
	Skipped bool
	// Note is what there is to say beside.
	Note string
}

type stepsKey struct{}

// WithSteps returns a context for a decision that is to be explained: tell gets
// each step, also those after the first that says no, as far as they can be made.
// The decision is the same: the first error. A nil tell wants to hear nothing.
func WithSteps(ctx context.Context, tell func(Step)) context.Context {
	return context.WithValue(ctx, stepsKey{}, tell)
}

// Steps returns who is to be told of the steps, nil where nobody asked.
func Steps(ctx context.Context) func(Step) {
	tell, _ := ctx.Value(stepsKey{}).(func(Step))
	return tell
}

// Tell tells of a step, where somebody asked.
func Tell(ctx context.Context, s Step) {
	if tell := Steps(ctx); tell != nil {
		tell(s)
	}
}
