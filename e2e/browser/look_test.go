package browser

import (
	"fmt"
	"strings"
	"testing"
)

// wide names what is wider than the page, and not in a part that scrolls by itself.
const wide = `[...document.body.querySelectorAll("*")]
	.filter((e) => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1 && !e.parentElement.closest(".scroll"))
	.map((e) => e.outerHTML.slice(0, 100))`

// faint names texts whose contrast is less than the 4.5 of WCAG 2.2, 1.4.3 (AA).
const faint = `(() => {
	const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
	const rgb = (colour) => {
		canvas.clearRect(0, 0, 1, 1);
		canvas.fillStyle = colour;
		canvas.fillRect(0, 0, 1, 1);
		return canvas.getImageData(0, 0, 1, 1).data;
	};
	const luminance = (colour) => {
		const [r, g, b] = [...rgb(colour)].map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const behind = (e) => {
		for (; e; e = e.parentElement) {
			const colour = getComputedStyle(e).backgroundColor;
			if (rgb(colour)[3] > 0) return colour;
		}
		return "white";
	};
	return [...document.body.querySelectorAll("*")]
		.filter((e) => !e.closest("svg") && [...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.textContent.trim()))
		.map((e) => {
			const [a, b] = [luminance(getComputedStyle(e).color), luminance(behind(e))].sort((a, b) => b - a);
			return [(a + 0.05) / (b + 0.05), e.textContent.slice(0, 40)];
		})
		.filter(([contrast]) => contrast < 4.5)
		.map(([contrast, text]) => contrast.toFixed(1) + " " + text);
})()`

// brightness is that of what is behind the page, from 0 to 255.
const brightness = `Math.max(...getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number))`

// TestLook: every state can be read, on a phone as on a desk, by day and in the dark.
func TestLook(t *testing.T) {
	t.Parallel()
	for name, s := range states() {
		g := newGate(t, s)
		for _, width := range []int64{320, 400, 720, 1280} {
			for _, dark := range []bool{false, true} {
				full := fmt.Sprintf("%s-%d", name, width)
				if dark {
					full += "-dark"
				}
				t.Run(full, func(t *testing.T) {
					b := open(t, look{width: width, height: 1400, dark: dark}, g.url())
					until(t, "the page is live", atOnce, func() bool { return b.text("live") == "Live." })
					if page := eval[int64](b, "document.documentElement.scrollWidth"); page > width {
						t.Errorf("the page is %d wide, for %s", page, strings.Join(eval[[]string](b, wide), "\n"))
					}
					if texts := eval[[]string](b, faint); len(texts) > 0 {
						t.Errorf("faint: %s", strings.Join(texts, "\n"))
					}
					if bright := eval[int](b, brightness); dark && bright > 60 || !dark && bright < 200 {
						t.Errorf("what is behind it is %d of 255 bright, in the dark: %v", bright, dark)
					}
					if state := b.text("state"); state != string(s.State) {
						t.Errorf("it says %q", state)
					}
					b.lookAt(full)
				})
			}
		}
	}
}

// TestMarkup: what others wrote is text, as loaded and as kept up to date; had it run,
// the console would have complained.
func TestMarkup(t *testing.T) {
	t.Parallel()
	g := newGate(t, busy())
	b := open(t, look{}, g.url())
	g.snapshot.Store(nasty())
	until(t, "the markup is there, as text", atOnce, func() bool { return b.text("says") == markup })
	if n := eval[int](b, `document.querySelectorAll("main img, main script").length`); n > 0 {
		t.Errorf("%d elements of others' making", n)
	}
	b.navigate(g.url())
	if says := b.text("says"); says != markup {
		t.Errorf("as loaded it says %q", says)
	}
}
