package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
)

const againstName = "against"

// against is another program of ours, to tell what a change costs or saves; or, built
// below dir, an unobserved one.
func against(ctx context.Context, dir, program string) (c contestant, err error) {
	if program == unobservedName {
		if dir, err = os.MkdirTemp(dir, unobservedName); err != nil {
			return c, err
		}
		if program, err = buildUnobserved(ctx, dir); err != nil {
			return c, err
		}
	}
	return contestant{
		name: againstName, about: "another Sallyport, mode " + headName, authenticates: true,
		start: func(ctx context.Context, at *site, s *scenario) (*instance, error) {
			return at.startGate(ctx, s, program, headName)
		},
	}, nil
}

// compared says what this program costs of what the other does, where both ran.
func compared(in []contestant, samples [][]*sample, out io.Writer) {
	at := func(name string) int {
		return slices.IndexFunc(in, func(c contestant) bool { return c.name == name })
	}
	ours, other := at(headName), at(againstName)
	if ours < 0 || other < 0 {
		return
	}
	r := ratio(samples[ours], samples[other])
	fmt.Fprintf(out, "%s is %.3f of %s, %.3f to %.3f\n", headName, r.Median, againstName, r.Least, r.Most)
}
