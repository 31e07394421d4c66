package main

import (
	"context"
	"os"
	"runtime"

	"go.uber.org/zap"

	"sallyport/internal/processors"
)

// governProcessors has Go use one processor while that is enough, unless the operator
// set GOMAXPROCS. It returns what has to run for that, or nil.
func governProcessors(log *zap.Logger) func(context.Context) error {
	if set := os.Getenv("GOMAXPROCS"); set != "" {
		log.Info("the number of processors is the environment's", zap.String("GOMAXPROCS", set))
		return nil
	}
	log.Info("one processor is used while that is enough", zap.Int("at_most", runtime.GOMAXPROCS(0)))
	g := processors.New()
	return func(ctx context.Context) error {
		if err := g.Run(ctx); err != nil {
			log.Warn("all processors are used, as the system does not say how busy they are", zap.Error(err))
		}
		<-ctx.Done()
		return nil
	}
}
