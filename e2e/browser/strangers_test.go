package browser

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestRebinding: a page from elsewhere whose name leads to loopback all of a sudden
// is refused, as its Host is not loopback's.
func TestRebinding(t *testing.T) {
	t.Parallel()
	d := play(t)
	u, err := url.Parse(d.url)
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]int64{"127.0.0.1": 200, "localhost": 200, stranger: 403} {
		b := newTab(t, look{})
		for _, path := range []string{"/", "/status", "/log-level", "/debug/pprof/"} {
			if got := b.visit("http://" + host + ":" + u.Port() + path); got != want {
				t.Errorf("%s%s: %d, want %d", host, path, got, want)
			}
		}
		if host == stranger && eval[bool](b, `document.body.textContent.includes("hybrid")`) {
			t.Error("a stranger sees how the gate does")
		}
	}
}

// visit goes to a page, and says what its status is.
func (b *tab) visit(url string) int64 {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, atOnce)
	defer cancel()
	resp, err := chromedp.Run(ctx, chromedp.NavigateResponse(url))
	if err != nil {
		b.t.Fatalf("%s: %v", url, err)
	}
	return resp.Status
}

// TestOtherSites: a page of another site, which the same browser has open, can
// neither read how the gate does nor change something.
func TestOtherSites(t *testing.T) {
	t.Parallel()
	d := play(t)
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<!doctype html><title>elsewhere</title>")
	}))
	t.Cleanup(site.Close)
	const set = `fetch("%log-level", {method: "POST", mode: "%mode", body: "debug"}).then((r) => "answer " + r.type + " " + r.status, (e) => "failed")`
	setting := func(mode string) string { return strings.NewReplacer("%mode", mode, "%log", d.url+"log").Replace(set) }
	level := func() string {
		resp, err := http.Get(d.url + "log-level")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(b))
	}
	before := level()
	if before == "debug" {
		t.Fatal("the level is what a stranger would make it")
	}
	elsewhere := newTab(t, look{})
	elsewhere.navigate(site.URL)
	if got := eval[string](elsewhere, setting("no-cors")); !strings.HasPrefix(got, "answer opaque") {
		t.Errorf("a POST from elsewhere did not arrive: %s", got)
	}
	if now := level(); now != before {
		t.Errorf("another site has set the level to %s", now)
	}
	for _, path := range []string{"status", "", "events", "log-level"} {
		read := `fetch("` + d.url + path + `").then((r) => r.status, () => 0)`
		if got := eval[int](elsewhere, read); got != 0 {
			t.Errorf("another site reads /%s: %d", path, got)
		}
	}
	own := open(t, look{}, d.url)
	if got := eval[string](own, setting("same-origin")); !strings.HasPrefix(got, "answer basic 200") {
		t.Errorf("the page itself: %s", got)
	}
	if now := level(); now != "debug" {
		t.Errorf("the page itself sets nothing: %s", now)
	}
}
