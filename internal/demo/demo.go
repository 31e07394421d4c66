// Package demo plays what the gate is for, with nothing but this process: a
// cluster, an app, the gate in front of it, and callers good and bad.
//
// It knows the gate as an operator does, by its flags and its listeners, and
// judges it by what callers get and the app sees.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Options say what is played, and for whom. App, Serve, Out and Program are needed.
type Options struct {
	// Out gets the timeline, in colour where Colour says so.
	Out    io.Writer
	Colour bool
	// Once ends the demo after the scenes. Else it stays up, for Duration or,
	// where that is zero, until its context ends.
	Once     bool
	Duration time.Duration
	// Log gets the gate's log. Nil means a file beside the tokens, whose end is
	// shown where a scene fails.
	Log io.Writer
	// Program is the file of this program, for whoever tries its other commands.
	Program string
	// App is what the gate protects.
	App http.Handler
	// Serve starts a gate.
	Serve Serve
}

// Serve starts a gate as `sallyport serve` with these arguments does. It serves
// until ctx ends. The log goes to log.
type Serve func(ctx context.Context, args []string, log io.Writer) (*Gate, error)

// A Gate is one that serves.
type Gate struct {
	// Data, Admin and Debug are the addresses of its listeners, as host:port.
	Data, Admin, Debug string
	// Wait returns when the gate has ended, and says why if nobody asked it to.
	Wait func() error
}

// ErrUnexpected means that a scene went other than expected.
var ErrUnexpected = errors.New("not everything went as expected")

// Run plays the demo. The error is ErrUnexpected, or says what could not be set
// up. Where ctx ends before the last scene, that is the error.
func Run(ctx context.Context, o Options) error { return run(ctx, o, scenes) }

func run(ctx context.Context, o Options, scenes []scene) (err error) {
	w, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	begun := time.Now()
	outcomes := w.play(ctx, scenes)
	if ctx.Err() != nil {
		return fmt.Errorf("stopped before the last scene: %w", ctx.Err())
	}
	good := w.summary(outcomes, w.steady.tally(), time.Since(begun))
	if !o.Once {
		w.stay(ctx, o.Duration)
	}
	if !good {
		return ErrUnexpected
	}
	return nil
}

// stay lets people try, for d or, where that is zero, until ctx ends. Tokens go
// on rotating.
func (w *world) stay(ctx context.Context, d time.Duration) {
	if d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	w.invite(d)
	<-ctx.Done()
	w.story.gap()
	w.story.say("demo", "over: the gate drains, and the tokens go")
}
