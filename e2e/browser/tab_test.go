package browser

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

const (
	// atOnce bounds what a browser does at once. It is for a machine with other
	// things to do.
	atOnce = 20 * time.Second
	// pause is between two looks: short beside the half second in which the page
	// learns something.
	pause = 20 * time.Millisecond
)

// A look is how somebody looks at a page. The zero look is that of a laptop in
// daylight.
type look struct {
	width, height int64
	scale         float64 // pixels for a unit of length
	dark          bool
	noScripts     bool
}

// A tab is one of the browser's, and what it met.
type tab struct {
	t   *testing.T
	ctx context.Context
	url string

	mu         sync.Mutex
	asked      []string // URLs
	complaints []string // the console's warnings and errors
}

// open opens a page, of which no console may complain, and which may ask nobody but
// its own server.
func open(t *testing.T, l look, url string) *tab {
	t.Helper()
	b := newTab(t, l)
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, c := range b.complaints {
			t.Errorf("the console: %s", c)
		}
		for _, u := range b.asked {
			if !strings.HasPrefix(u, url) && u != "data:," {
				t.Errorf("the page asks for %s", u)
			}
		}
		if len(b.asked) == 0 {
			t.Error("the page asks for nothing: nobody listened")
		}
	})
	b.navigate(url)
	return b
}

// newTab opens an empty tab.
func newTab(t *testing.T, l look) *tab {
	t.Helper()
	ctx, end := chromedp.NewContext(chromium)
	t.Cleanup(end)
	b := &tab{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, b.note); err != nil {
		t.Fatal(err)
	}
	if l.width == 0 {
		l.width, l.height = 1280, 900
	}
	if l.scale == 0 {
		l.scale = 1
	}
	scheme := "light"
	if l.dark {
		scheme = "dark"
	}
	b.do(
		chromedp.EmulateViewport(l.width, l.height, chromedp.EmulateScale(l.scale)),
		func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
			_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
			})
			return chromedp.Void{}, err
		},
		func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
			_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: l.noScripts})
			return chromedp.Void{}, err
		},
	)
	return b
}

// note is called for each event, one after the other, and must not take long.
func (b *tab) note(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.asked = append(b.asked, e.Request.URL)
	case *runtime.EventExceptionThrown:
		what := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			what += ": " + e.ExceptionDetails.Exception.Description
		}
		b.complaints = append(b.complaints, what)
	case *runtime.EventConsoleAPICalled:
		b.complaints = append(b.complaints, fmt.Sprintf("%s: %d arguments", e.Type, len(e.Args)))
	case *log.EventEntryAdded:
		b.complaints = append(b.complaints, fmt.Sprintf("%s: %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL))
	}
}

// requests is how often a URL was asked for.
func (b *tab) requests(url string) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, u := range b.asked {
		if u == url {
			n++
		}
	}
	return n
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, atOnce)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

func (b *tab) navigate(url string) {
	b.t.Helper()
	b.url = url
	b.do(chromedp.Navigate(url))
}

// eval is what an expression in the page comes to, or the promise that it gives.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, atOnce)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// text is that of the element with an id.
func (b *tab) text(id string) string {
	b.t.Helper()
	return eval[string](b, fmt.Sprintf("document.getElementById(%q).textContent", id))
}

// until looks until it is so, most at the longest. Else the test ends.
func until(t *testing.T, what string, most time.Duration, so func() bool) {
	t.Helper()
	for end := time.Now().Add(most); !so(); time.Sleep(pause) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", most, what)
		}
	}
}
