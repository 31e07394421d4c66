package span

import (
	"testing"
	"time"
)

func TestText(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", 400 * time.Millisecond: "0 s", time.Second: "1 s", 59 * time.Second: "59 s",
		90 * time.Second: "1 m 30 s", 48 * time.Minute: "48 m", 48*time.Minute + 3*time.Second: "48 m",
		3*time.Hour + 20*time.Minute: "3 h 20 m", 3*time.Hour + 20*time.Second: "3 h", 30 * time.Hour: "1 d 6 h",
		400 * 24 * time.Hour: "1 y 35 d", 40 * 24 * time.Hour: "40 d",
	} {
		if got := Text(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
	now := time.Unix(1500, 0)
	if got := Relative(now.Add(time.Hour), now) + ", " + Relative(now.Add(-time.Hour), now); got != "in 1 h, 1 h ago" {
		t.Error(got)
	}
}
