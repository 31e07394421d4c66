package browser

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"sallyport/e2e/demo"
	"sallyport/internal/status"
)

// scenes is how long the demo's scenes take at most: thrice of what they do.
const scenes = time.Minute

// A played is `sallyport demo`, running.
type played struct {
	// url is the status page's.
	url string
	// over is closed when the last scene is.
	over <-chan struct{}
}

// play starts a demo, which ends with the test.
func play(t *testing.T) *played {
	t.Helper()
	url, over := make(chan string, 1), make(chan struct{})
	var story []string // until it has told all, the reader's alone
	d, err := demo.Start(program, func(line string) {
		story = append(story, line)
		if m := shows.FindStringSubmatch(line); m != nil {
			url <- m[1]
		}
		if strings.Contains(line, " scenes went ") {
			close(over)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // behind the pages' end, so that they do not complain
		d.End()
		if t.Failed() {
			t.Logf("the demo told:\n%s", strings.Join(story, "\n"))
		}
	})
	select {
	case u := <-url:
		return &played{url: u, over: over}
	case <-d.Told():
		t.Fatal("the demo ended before it said where its page is")
	case <-time.After(atOnce):
		t.Fatal("the demo does not say where its page is")
	}
	return nil
}

// shows is the line with the page's address.
var shows = regexp.MustCompile(`shows how it does on (http://127\.0\.0\.1:\d+/)`)

// status is what the page has to show.
func (d *played) status(t *testing.T) *status.Snapshot {
	t.Helper()
	s, err := d.ask()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (d *played) ask() (*status.Snapshot, error) {
	client := http.Client{Timeout: atOnce}
	resp, err := client.Get(d.url + "status")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	s := &status.Snapshot{}
	return s, json.NewDecoder(resp.Body).Decode(s)
}
