package browser

import (
	"bytes"
	"context"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/chromedp/chromedp"
)

// maxPicture is how large a picture of the README may be, in bytes.
const maxPicture = 300_000

// shoot takes a picture of what is in sight.
func (b *tab) shoot() []byte {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, atOnce)
	defer cancel()
	data, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := png.Decode(bytes.NewReader(data)); err != nil {
		b.t.Fatal(err)
	}
	return data
}

// picture takes one for the README, where that is asked for.
func (b *tab) picture(name string) {
	b.t.Helper()
	data := b.shoot()
	if !*update {
		return
	}
	// A page has few colours: 64 of them are a fifth of the size.
	small := exec.CommandContext(b.t.Context(), "pngquant", "--strip", "--speed=1", "64", "-")
	small.Stdin = bytes.NewReader(data)
	data, err := small.Output()
	if err != nil {
		b.t.Fatalf("making it small, with Debian's pngquant: %v", err)
	}
	if len(data) > maxPicture {
		b.t.Fatalf("%s: %d bytes, at most %d", name, len(data), maxPicture)
	}
	b.write("../../docs/pictures", name, data)
}

// lookAt keeps a picture for those who look at them, where that is asked for.
func (b *tab) lookAt(name string) {
	b.t.Helper()
	if *pictures != "" {
		b.write(*pictures, name, b.shoot())
	}
}

func (b *tab) write(folder, name string, data []byte) {
	b.t.Helper()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), data, 0o644); err != nil {
		b.t.Fatal(err)
	}
}
