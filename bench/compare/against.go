package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"

	"sallyport/bench/gate"
)

const againstName = "against"

// against is another program of ours, to tell what a change costs or saves: a file, or
// built below dir.
func against(ctx context.Context, dir, program string) (c contestant, err error) {
	if build := builderOf(program); build != nil {
		if dir, err = os.MkdirTemp(dir, againstName); err != nil {
			return c, err
		}
		if program, err = build(ctx, dir); err != nil {
			return c, err
		}
	}
	return ofProgram(againstName, program), nil
}

// builderOf builds what -against names: an unobserved program, or that of another
// checkout. It is nil where it is a program already.
func builderOf(program string) builder {
	if program == unobservedName {
		return buildUnobserved
	}
	if i, err := os.Stat(program); err == nil && i.IsDir() {
		return func(ctx context.Context, dir string, flags ...string) (string, error) {
			return gate.BuildFrom(ctx, program, dir, flags...)
		}
	}
	return nil
}

func ofProgram(name, program string) contestant {
	return contestant{
		name: name, about: "another Sallyport, mode " + headName, authenticates: true,
		start: func(ctx context.Context, at *site, s *scenario) (*instance, error) {
			return at.startGate(ctx, s, program, headName)
		},
	}
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
