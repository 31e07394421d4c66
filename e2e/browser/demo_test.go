package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"sallyport/internal/status"
)

// demoLife ends a demo that a dead test left behind. It is longer than any test.
const demoLife = "5m"

// scenes is how long the demo's scenes take at most: thrice of what they do.
const scenes = time.Minute

// A demo is `sallyport demo`, running.
type demo struct {
	// url is the status page's.
	url string
	// over is closed when the last scene is.
	over <-chan struct{}
}

// play starts a demo, which ends with the test.
func play(t *testing.T) *demo {
	t.Helper()
	// Not t.Context: pages are closed first, so that they do not complain.
	ctx, end := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "demo", "--duration="+demoLife)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 15 * time.Second // its own grace is 2 s
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		end()
		t.Fatal(err)
	}
	url, over, told := make(chan string, 1), make(chan struct{}), make(chan struct{})
	var story []string // until told is closed, the reader's alone
	go func() {
		defer close(told)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			story = append(story, lines.Text())
			if m := shows.FindStringSubmatch(lines.Text()); m != nil {
				url <- m[1]
			}
			if strings.Contains(lines.Text(), " scenes went ") {
				close(over)
			}
		}
	}()
	t.Cleanup(func() {
		end()
		<-told
		_ = cmd.Wait() // its exit code is about its scenes, which have tests of their own
		if t.Failed() {
			t.Logf("the demo told:\n%s", strings.Join(story, "\n"))
		}
	})
	select {
	case u := <-url:
		return &demo{url: u, over: over}
	case <-told:
		t.Fatal("the demo ended before it said where its page is")
	case <-time.After(atOnce):
		t.Fatal("the demo does not say where its page is")
	}
	return nil
}

// shows is the line with the page's address.
var shows = regexp.MustCompile(`shows how it does on (http://127\.0\.0\.1:\d+/)`)

// status is what the page has to show.
func (d *demo) status(t *testing.T) *status.Snapshot {
	t.Helper()
	client := http.Client{Timeout: atOnce}
	resp, err := client.Get(d.url + "status")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	s := &status.Snapshot{}
	if err := json.NewDecoder(resp.Body).Decode(s); err != nil {
		t.Fatal(err)
	}
	return s
}
