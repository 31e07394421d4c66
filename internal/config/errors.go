package config

import (
	"errors"
	"strings"
)

// ErrHelp and ErrHelpAll mean that the arguments ask for help. Whatever else
// is wrong with them does not matter then.
var (
	ErrHelp    = errors.New("help asked for")
	ErrHelpAll = errors.New("help on all flags asked for")
)

// A Problem is one thing that the operator has to write differently.
type Problem struct {
	// Where is a flag, or a file with a line and a field. Never empty.
	Where string
	// Text says what is wrong and what to write instead. It never holds the
	// content of a file other than the configuration file.
	Text string
}

// Error implements error.
func (p Problem) Error() string { return p.Where + ": " + p.Text }

// Errors are all problems of a configuration, at least one: those of the file
// by line, then those of the flags, then those between them.
type Errors []Problem

// Error lists the problems, one a line.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, p := range e {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}
