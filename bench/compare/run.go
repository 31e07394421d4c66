package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// A bench is a run.
type bench struct {
	options
	tools
	contestants []contestant
	results     results
}

// A step is a part of a run. It prints what it finds, and adds it to the results.
type step struct {
	name, about string
	run         func(*bench, context.Context, io.Writer) error
}

// steps are all there are, in the order in which they run: those that budgets are
// read from first.
func steps() []step {
	all := []step{
		{"start", "the program's size, and how long it takes to start", func(b *bench, ctx context.Context, out io.Writer) (err error) {
			b.results.Start, err = b.startUp(ctx, out)
			return err
		}},
		{"known", "the decision about a known token by itself", func(b *bench, ctx context.Context, out io.Writer) (err error) {
			b.results.Known, err = b.knownToken(ctx, out)
			return err
		}},
	}
	for _, s := range scenarios {
		all = append(all, step{s.name, s.about, func(b *bench, ctx context.Context, out io.Writer) error { return b.contest(ctx, &s, out) }})
	}
	return append(all,
		step{"cold", "1,000 callers whom a proxy that has just started does not know", func(b *bench, ctx context.Context, out io.Writer) (err error) {
			b.results.Cold, err = b.coldStart(ctx, out)
			return err
		}},
		step{"memory", "the memory of one gate: idle, under load, after a million bad tokens", func(b *bench, ctx context.Context, out io.Writer) (err error) {
			b.results.Memory, err = b.memoryUse(ctx, out)
			return err
		}})
}

func stepNames() (names []string) {
	for _, s := range steps() {
		names = append(names, s.name)
	}
	return names
}

var (
	errFailed = errors.New("not everything could be measured")
	errBroken = errors.New("budgets were broken")
)

func run(ctx context.Context, o options, out io.Writer) error {
	chosen, err := some(o.steps, steps(), func(s step) string { return s.name })
	if err != nil {
		return fmt.Errorf("-scenarios: %w", err)
	}
	dir, err := os.MkdirTemp("", "compare")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b, err := prepareBench(ctx, o, dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s\n", b.results.Machine)
	b.tools.missing(out)
	failed := false
	for _, s := range chosen {
		fmt.Fprintf(out, "\n%s: %s\n", s.name, s.about)
		err := s.run(b, ctx, out)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			fmt.Fprintf(out, "FAILED: %v\n", err)
			failed = true
		}
	}
	fmt.Fprintln(out)
	kept := b.results.judge(out)
	switch {
	case failed:
		return errFailed
	case !kept && o.strict:
		return errBroken
	case o.update:
		return update(ctx, &b.results)
	}
	return nil
}

func prepareBench(ctx context.Context, o options, dir string) (b *bench, err error) {
	b = &bench{options: o}
	if b.tools, err = find(ctx, dir); err != nil {
		return nil, err
	}
	b.tools.serve = strings.Fields(o.serve)
	if b.tools.gate = o.program; o.program == "" {
		if b.tools.gate, err = buildGate(ctx, dir, o.profile != ""); err != nil {
			return nil, err
		}
	}
	if o.profile != "" {
		if err := b.tools.profileInto(o.profile); err != nil {
			return nil, err
		}
	}
	if b.contestants, err = b.chosen(ctx, dir); err != nil {
		return nil, err
	}
	b.results = results{When: today(), Revision: revision(ctx), Machine: thisMachine(ctx, &b.tools)}
	return b, nil
}

// chosen are those that take part.
func (b *bench) chosen(ctx context.Context, dir string) ([]contestant, error) {
	o := &b.options
	if o.against != "" && o.update {
		return nil, errors.New("-against is for comparing two programs, and -update for what others read")
	}
	if o.orders > 0 {
		other := builderOf(o.against)
		if other == nil || o.program != "" {
			return nil, errors.New("-orders needs an -against that can be built, a folder or unobserved, and builds this program, too")
		}
		return inOrders(ctx, dir, o.orders, other)
	}
	all := b.tools.contestants()
	peers, err := peersOf(o.peers)
	if err != nil {
		return nil, fmt.Errorf("-peers: %w", err)
	}
	if all = append(all, peers...); o.against != "" {
		c, err := against(ctx, dir, o.against)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	if all, err = some(o.proxies, all, func(c contestant) string { return c.name }); err != nil {
		return nil, fmt.Errorf("-proxies: %w", err)
	}
	return all, nil
}

// revision is the last commit that changed the program, with a plus where it has
// changed since.
func revision(ctx context.Context) string {
	git := func(args ...string) string {
		out, err := exec.CommandContext(ctx, "git", append(args, "--", ":/cmd", ":/internal", ":/go.mod")...).Output()
		if err != nil {
			return "unknown"
		}
		return strings.TrimSpace(string(out))
	}
	r := git("log", "-1", "--format=%h")
	if git("status", "--porcelain") != "" {
		r += "+"
	}
	return r
}
