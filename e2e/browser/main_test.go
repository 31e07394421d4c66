// Package browser looks at the status page as people do: in a browser. It needs
// Chromium, and neither a cluster nor root.
//
//	make e2e-browser
//
// A test plays `sallyport demo`, or serves the page of a gate whose state it makes
// up (gates_test.go).
package browser

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"sallyport/e2e/demo"
)

// What go test is given after -args.
var (
	update   = flag.Bool("update", false, "take the pictures of the README anew (needs pngquant)")
	pictures = flag.String("pictures", "", "folder for a picture of each state of the page, to be looked at")
)

var (
	// program is the product, built from this tree.
	program string
	// chromium is the one browser. Each test has a tab in it.
	chromium context.Context
)

// stranger is a name that leads to this machine, as an attacker's DNS server would
// have it.
const stranger = "rebound.example"

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "sallyport-browser-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	if program, err = demo.Build(dir); err != nil {
		return 1, err
	}
	end, err := startChromium(filepath.Join(dir, "profile"))
	if err != nil {
		return 1, err
	}
	defer end()
	return m.Run(), nil
}

// startChromium starts a browser that asks nobody but the pages it is sent to.
func startChromium(profile string) (end func(), err error) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		return nil, fmt.Errorf("no browser to look with: install Debian's chromium: %w", err)
	}
	allocator, free := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(path), chromedp.UserDataDir(profile), chromedp.WSURLReadTimeout(time.Minute),
		// It sees no page but ours, and root cannot have its sandbox.
		chromedp.NoSandbox,
		chromedp.Headless, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		// A container's /dev/shm may be small.
		chromedp.Flag("disable-dev-shm-usage", true),
		// Tabs that nobody looks at are not to be slower than the one in front.
		chromedp.Flag("disable-background-timer-throttling", true), chromedp.Flag("disable-renderer-backgrounding", true),
		chromedp.Flag("disable-backgrounding-occluded-windows", true),
		chromedp.Flag("force-color-profile", "srgb"),
		chromedp.Flag("host-resolver-rules", "MAP "+stranger+" 127.0.0.1"),
	)
	ctx, closeAll := chromedp.NewContext(allocator)
	end = func() { closeAll(); free() }
	if err := chromedp.Do(ctx); err != nil {
		end()
		return nil, fmt.Errorf("chromium does not start: %w", err)
	}
	chromium = ctx
	return end, nil
}
