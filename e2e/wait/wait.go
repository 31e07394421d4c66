// Package wait waits for conditions, and says so while it takes long.
package wait

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// between is the pause between two looks: short beside what is waited for, and
// no load for two cores.
const between = 200 * time.Millisecond

// progress is how often a long wait says a line.
const progress = 10 * time.Second

// Stop wraps an error after which there is no use in waiting on.
func Stop(err error) error { return stop{err} }

type stop struct{ error }

func (s stop) Unwrap() error { return s.error }

// For calls look until it returns nil, an error of Stop, or most is over. Its
// error then has look's last one.
func For(ctx context.Context, what string, most time.Duration, look func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	began, said := time.Now(), time.Now()
	var last error
	for {
		err := look(ctx)
		if err == nil {
			return nil
		}
		// The end of ctx says less than what look found before it.
		if last == nil || ctx.Err() == nil {
			last = err
		}
		if errors.As(err, &stop{}) {
			return fmt.Errorf("waiting for %s: %w", what, err)
		}
		if time.Since(said) >= progress {
			fmt.Printf("    waiting for %s, %.0f s: %.200v\n", what, time.Since(began).Seconds(), last)
			said = time.Now()
		}
		select {
		case <-time.After(between):
		case <-ctx.Done():
			return fmt.Errorf("waited %.0f s for %s: %w", time.Since(began).Seconds(), what, last)
		}
	}
}
