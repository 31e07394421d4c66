// Package span says durations in words.
package span

import (
	"fmt"
	"time"
)

var units = []struct {
	name string
	size time.Duration
}{
	{"y", 365 * 24 * time.Hour}, {"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second},
}

// Text is a duration in words: 48 m, 3 h 20 m. A second unit stands where there
// are fewer than ten of the first.
func Text(d time.Duration) string {
	d = d.Round(time.Second)
	for i, u := range units {
		n := d / u.size
		if n == 0 {
			continue
		}
		text := fmt.Sprintf("%d %s", n, u.name)
		if i+1 < len(units) && n < 10 {
			if rest := (d - n*u.size) / units[i+1].size; rest > 0 {
				text += fmt.Sprintf(" %d %s", rest, units[i+1].name)
			}
		}
		return text
	}
	return "0 s"
}

// Relative is a time as seen from now: in 48 m, 48 m ago.
func Relative(t, now time.Time) string {
	if d := t.Sub(now); d > 0 {
		return "in " + Text(d)
	}
	return Text(now.Sub(t)) + " ago"
}
