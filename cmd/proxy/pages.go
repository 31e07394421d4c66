package main

import (
	"context"
	"time"

	"go.uber.org/zap"

	"sallyport/internal/pages"
)

// started is when a start is over: it takes some 20 ms, and 150 at most where nobody
// has to be waited for. What goes too early comes back.
const started = 2 * time.Second

// forgetStart lets go of what only the start needed of the program: most of it.
func forgetStart(log *zap.Logger) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-time.After(started):
			if err := pages.Forget(); err != nil {
				log.Debug("the program's pages stay in memory", zap.Error(err))
			}
			<-ctx.Done()
		case <-ctx.Done():
		}
		return nil
	}
}
