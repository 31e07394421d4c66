package browser

import (
	"strings"
	"testing"
	"time"
)

// TestStory watches the demo to its end, as somebody who has opened its page does:
// in the dark while the API server is away, and by day when all is over. These are
// the README's pictures.
func TestStory(t *testing.T) {
	t.Parallel()
	d := play(t)
	phone := open(t, look{width: 400, height: 800, scale: 1.5, dark: true}, d.url)
	desk := open(t, look{width: 1000, height: 800, scale: 1.5}, d.url)
	until(t, "the page says that the API server is away", scenes, func() bool { return phone.text("state") == "degraded" })
	if says := phone.text("says"); !strings.Contains(says, "the API server gives no answer") {
		t.Errorf("it says %q", says)
	}
	until(t, "it has been away for a second", scenes, func() bool { // or two, on a busy machine
		text := phone.text("apiserver")
		return strings.HasPrefix(text, "away for ") && text != "away for 0 s"
	})
	phone.picture("away")
	until(t, "the page says that it is back", scenes, func() bool { return desk.text("state") == "ready" && phone.text("state") == "ready" })
	<-after(t, d.over, scenes)
	// A bar whose token is neither new nor about to go shows most.
	until(t, "the middle of a token's life", 30*time.Second, func() bool {
		own := d.status(t).OwnToken
		return time.Now().After(own.Issued.Add(own.Expires.Sub(own.Issued) / 2))
	})
	desk.picture("ready")
	for _, b := range []*tab{phone, desk} {
		if n := b.requests(d.url); n != 1 {
			t.Errorf("the page was loaded %d times: it is kept up to date without that", n)
		}
	}
}
