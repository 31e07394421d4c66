package main

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"sallyport/bench/load"
	"sallyport/bench/process"
)

// garbage is how many bad tokens a gate gets, no two the same.
const garbage = 1_000_000

// garbageTimeout is four times what the flood takes where it is slow.
const garbageTimeout = 10 * time.Minute

// A memory is what one gate in mode hybrid took, one after the other. In bytes.
type memory struct {
	Idle, Load, LoadPeak, Garbage, GarbagePeak int64
	Answers                                    string // to the garbage, by status
}

func (b *bench) memoryUse(ctx context.Context, out io.Writer) (*memory, error) {
	at, err := b.tools.open(ctx, 1, b.duration)
	if err != nil {
		return nil, err
	}
	defer at.close()
	s := &scenarios[position("one")]
	i, err := at.startGate(ctx, s, at.gate, headName)
	if err != nil {
		return nil, err
	}
	select {
	case <-time.After(settle):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	m := &memory{}
	use := func() (u process.Usage) {
		if err == nil {
			u, err = i.Usage()
		}
		return u
	}
	m.Idle = use().RSS
	if err := i.warm(ctx, at, s); err != nil {
		return nil, err
	}
	sample, err := at.load(ctx, s, i.addr, b.duration)
	if err != nil {
		return nil, err
	}
	u := use()
	m.Load, m.LoadPeak = u.RSS, u.PeakRSS
	answers := flood(ctx, i.addr, at.tokens[0])
	u = use()
	m.Garbage, m.GarbagePeak, m.Answers = u.RSS, u.PeakRSS, answers.String()
	if err == nil && answers.Sum() < garbage {
		err = fmt.Errorf("only %d of %d bad tokens were sent", answers.Sum(), garbage)
	}
	fmt.Fprintf(out, "MiB of RSS: idle %s; under load (%.0f requests/s, %d connections) %s, at most %s;\n"+
		"after %d different bad tokens %s, at most %s; they were answered %s\n",
		mib(m.Idle), sample.rate(), s.conns, mib(m.Load), mib(m.LoadPeak), garbage, mib(m.Garbage), mib(m.GarbagePeak), m.Answers)
	return m, err
}

// flood has bad tokens answered, over HTTP/2: more at a time than may wait to be
// examined, else the gate's limit of 1,000 a second would make it a quarter of an
// hour; and not so many more that requests under way are what takes the memory.
func flood(ctx context.Context, to, good string) load.Tally {
	ctx, cancel := context.WithTimeout(ctx, garbageTimeout)
	defer cancel()
	f := load.Flood{From: "127.0.0.2", To: to, Conns: 4, Streams: 100, Path: "/"}
	answers := load.Tally{}
	// What a closing connection did not answer is missing at the end of a part.
	for missing := garbage; missing > 0 && ctx.Err() == nil; missing = garbage - answers.Sum() {
		part, enough := context.WithCancel(ctx)
		forged := load.Forged(good)
		var sent atomic.Int64
		f.Tokens = func() func() []byte {
			next := forged()
			return func() []byte {
				if sent.Add(1) == int64(missing+f.Conns*f.Streams) {
					enough()
				}
				return next()
			}
		}
		answers.Add(f.Run(part))
		enough()
	}
	return answers
}
