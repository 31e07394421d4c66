package demo

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// The widths of the columns: together with an identity they make a line of
// about a hundred characters, which fits half of a usual screen.
const (
	whoWidth  = 9
	whatWidth = 35
)

// A story is the timeline: one line for one thing, each with the time since the
// beginning and who did it. Many tell it at once.
type story struct {
	painter
	begun time.Time

	mu sync.Mutex
	w  io.Writer
}

func newStory(w io.Writer, colour bool) *story {
	return &story{painter: painter(colour), begun: time.Now(), w: w}
}

// say tells that somebody did something.
func (s *story) say(who, format string, args ...any) {
	s.line(who, ofWho(who), fmt.Sprintf(format, args...))
}

// answered tells what a request was, and what it came to.
func (s *story) answered(who, what string, a answer) {
	s.line(who, ofWho(who), fmt.Sprintf("%-*s %s  %s", whatWidth, what, s.paint(ofCode(a.code), a.status()), a.told()))
}

func (s *story) line(who string, st style, text string) {
	at := fmt.Sprintf("%6.1fs", time.Since(s.begun).Seconds())
	s.print(s.paint(dim, at) + "  " + s.paint(st, fmt.Sprintf("%-*s", whoWidth, who)) + " " + text)
}

// title begins a scene.
func (s *story) title(number int, sc scene) {
	s.gap()
	s.print(s.paint(bold, fmt.Sprintf("%2d  %s", number, sc.name)) + s.paint(dim, ": "+sc.about))
	s.line("expected", dim, sc.expect)
}

// verdict ends a scene.
func (s *story) verdict(came string, err error) {
	if err == nil {
		s.line("ok", green, came)
		return
	}
	s.line("WRONG", red, fmt.Sprintf("%v (%s)", err, came))
}

func (s *story) gap() { s.print("") }

// print writes one line, and nothing of another in it. An error is of no
// interest: who does not listen misses it.
func (s *story) print(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintln(s.w, strings.TrimRight(text, " "))
}
