package main

import (
	"fmt"
	"os"

	"sallyport/internal/inspect"
)

// readToken reads a token from standard input. Who sits at a terminal would wait with
// us for what they do not know, and is told.
func readToken(s streams) (string, error) {
	if f, ok := s.in.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			fmt.Fprintln(s.err, "reading a token from standard input: write < FILE, or paste it and end with Ctrl-D")
		}
	}
	return inspect.Read(s.in)
}
