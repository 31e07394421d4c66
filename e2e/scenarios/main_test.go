// Package scenarios tries the gate on a real Kubernetes. Each file is a
// scenario, and each test of it runs alone as well:
//
//	make e2e RUN=TestCallers
//
// Tests whose names begin with TestOwn restart, pause and break the control
// plane and the kubelet, which takes a cluster of our own. All others, TestSlow
// among them, know a cluster by its kubeconfig alone, and run on anybody's.
//
// Without -kubeconfig they start two clusters, each in a box (package box): one
// for the first kind, and one that plays the user's. They run beside each other,
// and leave nothing but logs.
package scenarios

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"sallyport/e2e/box"
)

// What go test is given after -args.
var (
	kubeconfig = flag.String("kubeconfig", "", "run on this cluster, and start none")
	gateImage  = flag.String("image", "docker.io/library/sallyport:e2e", "the product's image, which the cluster has or can pull")
	toolsImage = flag.String("tools-image", "docker.io/library/sallyport-e2e:e2e", "the image of e2e/Dockerfile, likewise")
	logsFolder = flag.String("logs", "", "folder for the logs of the run (default: a new one)")
	slow       = flag.Bool("slow", false, "run the tests that take ten minutes and more, and no others")
)

func TestMain(m *testing.M) {
	inside := box.Inside()
	flag.Parse()
	os.Exit(run(context.Background(), m, inside))
}

// run is the one program in its places: to list the tests, to run them on a
// cluster, and to start what they run on.
func run(ctx context.Context, m *testing.M, inside bool) int {
	var err error
	code := 1
	switch {
	case flag.Lookup("test.list").Value.String() != "":
		return m.Run()
	case *kubeconfig != "":
		code, err = runGuests(ctx, m)
	case inside:
		code, err = runInside(ctx, m)
	default:
		code, err = runOutside(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// tell says how long something took.
func tell(what string, began time.Time) {
	fmt.Printf("%s: %.0f s\n", what, time.Since(began).Seconds())
}
