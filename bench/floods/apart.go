package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"sallyport/bench/badtoken"
	"sallyport/bench/load"
)

// An order is for a process of its own: either a flood, or well-behaved callers. In one
// with the API server and the app they would wait for its goroutines, and that would be
// measured too. Whoever floods or calls in earnest is on another machine.
type order struct {
	Flood   *load.Flood     `json:",omitempty"`
	Recipe  badtoken.Recipe // of the flood's tokens
	Callers []load.Caller   `json:",omitempty"`
}

// A report is what came of it.
type report struct {
	Flood   load.Tally
	Callers load.Record
}

// word is the one argument that has this program be that process.
const word = "apart"

// run has the order carried out until ctx ends.
func (o order) run(ctx context.Context) (report, error) {
	self, err := os.Executable()
	if err != nil {
		return report{}, err
	}
	text, err := json.Marshal(o)
	if err != nil {
		return report{}, err
	}
	cmd := exec.CommandContext(ctx, self, word)
	cmd.Stdin = bytes.NewReader(text)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second // for the last answers, and the report
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Start(); err != nil {
		return report{}, err
	}
	_ = cmd.Wait() // it is interrupted, and what it prints says whether it was well
	var r report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		return report{}, fmt.Errorf("the process apart: %w: %s", err, &said)
	}
	return r, nil
}

// obey carries out an order until ctx ends, and reports.
func obey(ctx context.Context, in io.Reader, out io.Writer) error {
	var o order
	if err := json.NewDecoder(in).Decode(&o); err != nil {
		return err
	}
	var r report
	switch {
	case o.Flood != nil:
		o.Flood.Tokens = o.Recipe.Tokens()
		r.Flood = o.Flood.Run(ctx)
	case o.Callers != nil:
		r.Callers = *load.Call(ctx, o.Callers)
	default:
		return errors.New("an order for nothing")
	}
	return json.NewEncoder(out).Encode(r)
}
