package main

import (
	"context"
	"errors"
	"fmt"

	"sallyport/internal/config"
)

// serveCommand is the gate. gate serves until ctx ends, and then drains.
func serveCommand(gate func(context.Context, *config.Config) error) command {
	return command{
		name:    "serve",
		summary: "let in who proves to be a caller, and forward to the app",
		run: func(ctx context.Context, args []string, s streams) error {
			c, err := config.Load(args)
			switch {
			case errors.Is(err, config.ErrHelp):
				fmt.Fprint(s.out, config.Help(false))
				return nil
			case errors.Is(err, config.ErrHelpAll):
				fmt.Fprint(s.out, config.Help(true))
				return nil
			case err != nil:
				return err
			}
			files := c.CheckFiles()
			if !c.Check {
				// The gate's log tells the warnings.
				if files != nil {
					return files
				}
				return gate(ctx, c)
			}
			for _, w := range c.Warnings {
				fmt.Fprintf(s.err, "warning: %s\n", w)
			}
			if files != nil {
				return files
			}
			fmt.Fprintln(s.out, "the configuration is valid")
			return nil
		},
	}
}
