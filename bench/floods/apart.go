package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"sallyport/bench/badtoken"
	"sallyport/bench/load"
)

// A flood comes from a process of its own: in that of the well-behaved callers and
// the app these would wait for its goroutines, and that would be measured too. Whoever
// floods in earnest is on another machine.
type flood struct {
	load.Flood
	Recipe badtoken.Recipe
}

// word is the one argument that has this program be that process.
const word = "flood"

// run floods until ctx ends.
func (f flood) run(ctx context.Context) (load.Tally, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	order, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, word)
	cmd.Stdin = bytes.NewReader(order)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second // for the last answers, and the tally
	var out, text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &text
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	_ = cmd.Wait() // it is interrupted, and what it prints says whether it was well
	var tally load.Tally
	if err := json.Unmarshal(out.Bytes(), &tally); err != nil {
		return nil, fmt.Errorf("the process that floods: %w: %s", err, &text)
	}
	return tally, nil
}

// serveFlood floods as it is told, until ctx ends, and tells how that was answered.
func serveFlood(ctx context.Context, in io.Reader, out io.Writer) error {
	var f flood
	if err := json.NewDecoder(in).Decode(&f); err != nil {
		return err
	}
	f.Tokens = f.Recipe.Tokens()
	return json.NewEncoder(out).Encode(f.Run(ctx))
}
