package demo

import (
	"io"
	"os"
)

// A style is an SGR sequence (ECMA-48, 8.3.117); "" changes nothing.
type style string

const (
	plain  style = ""
	bold   style = "1"
	dim    style = "2"
	red    style = "1;31"
	green  style = "32"
	yellow style = "33"
	blue   style = "34"
	cyan   style = "36"
)

// A painter colours text, or leaves it as it is. Pad first: the sequences have
// a length, but no width.
type painter bool

func (p painter) paint(s style, text string) string {
	if !p || s == plain || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// ofCode is the colour of a status: those that a caller wants, those that are
// about the caller, those that are about us.
func ofCode(code int) style {
	switch {
	case code >= 200 && code <= 299:
		return green
	case code >= 400 && code <= 499:
		return yellow
	}
	return red
}

// ofWho is the colour of who is at work on the other side of the gate.
func ofWho(who string) style {
	switch who {
	case "kubelet":
		return blue
	case "issuer", "apiserver":
		return cyan
	}
	return plain
}

// Colourful reports whether w is a terminal whose user has not asked for plain
// text (https://no-color.org).
func Colourful(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
