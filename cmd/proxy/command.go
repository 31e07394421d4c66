package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"

	"sallyport/internal/authn"
	"sallyport/internal/config"
)

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // it ran, and something went wrong
	exitUsage  = 2 // flags or file have to be written differently
	// exitUndecided is of the commands that judge something: they could not.
	exitUndecided = 3
)

// streams are what a command reads, and where it writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// complain says on standard error what is wrong. Who wrote a token where none belongs
// does not find it in a terminal's or a container's log as well.
func (s streams) complain(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	redacted := authn.Redact(text)
	fmt.Fprint(s.err, redacted)
	if redacted != text {
		fmt.Fprintln(s.err, "[...] could be a token: it belongs on standard input, for whoever lists processes sees their arguments")
	}
}

// A command is one word after sallyport.
type command struct {
	name, summary string
	// run returns nil, a usageError or config.Errors, or any other error. It
	// has printed its result, and nothing of the error.
	run func(ctx context.Context, args []string, s streams) error
}

// A usageError means that the arguments have to be written differently.
type usageError struct{ text string }

// Error implements error.
func (e usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// errRefused and errUndecided are the judgement of a command that has printed
// all there is to say: exit codes 1 and 3.
var (
	errRefused   = errors.New("refused")
	errUndecided = errors.New("undecided")
)

// An undecidedError is what left a command without a judgement.
type undecidedError struct{ error }

// Unwrap gives the cause.
func (e undecidedError) Unwrap() error { return e.error }

// run finds the command that args begin with, runs it, and returns the exit
// code. It is the only place that turns an error into one.
func run(ctx context.Context, table []command, args []string, s streams) int {
	if len(args) == 0 || args[0] == "help" || args[0] == "--help" || args[0] == "-h" {
		fmt.Fprint(s.out, overview(table))
		return exitOK
	}
	name := args[0]
	if name == "--version" {
		name = "version" // as most programs have it
	}
	for _, c := range table {
		if c.name == name {
			return report(c.name, c.run(ctx, args[1:], s), s)
		}
	}
	s.complain("sallyport: there is no command %q: write one of these\n\n%s", args[0], overview(table))
	return exitUsage
}

func report(name string, err error, s streams) int {
	var problems config.Errors
	var usage usageError
	var open undecidedError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errRefused):
		return exitFailed
	case errors.Is(err, errUndecided):
		return exitUndecided
	case errors.As(err, &problems):
		text := count(len(problems))
		for _, p := range problems {
			text += fmt.Sprintf("\n  %v", p)
		}
		s.complain("sallyport %s: %s\n", name, text)
		return exitUsage
	case errors.As(err, &usage):
		s.complain("sallyport %s: %v\n", name, err)
		return exitUsage
	}
	s.complain("sallyport %s: %v\n", name, err)
	if errors.As(err, &open) {
		return exitUndecided
	}
	return exitFailed
}

func count(problems int) string {
	if problems == 1 {
		return "one thing has to be written differently:"
	}
	return fmt.Sprintf("%d things have to be written differently:", problems)
}

// overview lists the commands.
func overview(table []command) string {
	var b strings.Builder
	b.WriteString("Usage: sallyport COMMAND [flags]\n\n")
	for _, c := range table {
		fmt.Fprintf(&b, "  %-11s%s\n", c.name, c.summary)
	}
	b.WriteString("\nThe flags of a command: sallyport COMMAND --help\n")
	return b.String()
}

// errHelp means that a command has shown its help.
var errHelp = errors.New("help asked for")

// parseFlags is for the small commands that take no argument; serve has its own
// in config. intro is what the help says before the flags.
func parseFlags(fs *pflag.FlagSet, args []string, intro string, out io.Writer) error {
	names, err := parseArgs(fs, args, intro, out)
	if err == nil && len(names) > 0 {
		return usagef("%q is not a flag: write --help to see the flags", names[0])
	}
	return err
}

// parseArgs is parseFlags for a command with arguments, which it returns.
func parseArgs(fs *pflag.FlagSet, args []string, intro string, out io.Writer) ([]string, error) {
	fs.Usage = func() {}
	fs.SetOutput(io.Discard)
	err := fs.Parse(args)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		fmt.Fprintf(out, "%s\n\n%s", intro, fs.FlagUsages())
		return nil, errHelp
	case err != nil:
		return nil, usagef("%v: write --help to see the flags", err)
	}
	return fs.Args(), nil
}
