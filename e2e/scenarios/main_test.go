// Package scenarios tries the gate on a real Kubernetes. Each file is a
// scenario, and each test of it runs alone as well:
//
//	make e2e RUN=TestRotation
//
// The tests start a cluster in a box, share it, and leave nothing but logs.
package scenarios

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sallyport/e2e/box"
	"sallyport/e2e/cluster"
)

// folder names the environment variable with the folder of this run.
const folder = "SALLYPORT_E2E_FOLDER"

func TestMain(m *testing.M) {
	if !box.Inside() {
		os.Exit(outside(context.Background()))
	}
	w, err := begin(context.Background(), os.Getenv(folder))
	if err != nil {
		fmt.Fprintln(os.Stderr, "the cluster did not come up:", err)
		os.Exit(1)
	}
	world = w
	os.Exit(m.Run())
}

// outside makes what needs this machine's network, runs the tests in a box, and
// cleans up behind them.
func outside(ctx context.Context) int {
	began := time.Now()
	if err := prepare(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	step("programs", began)
	dir, err := os.MkdirTemp("", "sallyport-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("logs:", filepath.Join(dir, cluster.Logs))
	code, err := box.Run(dir, folder+"="+dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if err := box.Remove(dir, cluster.Logs); err != nil {
		fmt.Fprintln(os.Stderr, "left behind:", err)
		code = 1
	}
	step("all", began)
	return code
}

// step says how long something took.
func step(what string, began time.Time) {
	fmt.Printf("%s: %.0f s\n", what, time.Since(began).Seconds())
}
