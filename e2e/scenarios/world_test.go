package scenarios

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"sallyport/e2e/cluster"
)

// world is what all tests share: one cluster.
var world *shared

type shared struct {
	client     *kubernetes.Clientset
	kubeconfig string
	logs       string           // folder
	cluster    *cluster.Cluster // nil on a user's
}

func newWorld(kubeconfig, logs string) (*shared, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS = -1 // the server's own limits are enough
	client, err := kubernetes.NewForConfig(config)
	return &shared{client: client, kubeconfig: kubeconfig, logs: logs}, err
}

// runGuests runs the tests on the cluster of -kubeconfig.
func runGuests(ctx context.Context, m *testing.M) (int, error) {
	logs := *logsFolder
	if logs == "" {
		dir, err := os.MkdirTemp("", "sallyport-e2e-")
		if err != nil {
			return 1, err
		}
		logs = dir
		fmt.Println("logs:", logs)
	}
	tests, err := chosen(ctx)
	if err != nil {
		return 1, err
	}
	if left := tests[own]; len(left) > 0 {
		fmt.Println("left out, as they need a cluster that they may break:", strings.Join(left, " "))
	}
	guests := append(tests[anywhere], tests[slowly]...)
	if len(guests) == 0 {
		return 1, errors.New("no other test has such a name")
	}
	if err := flag.Set("test.run", only(guests)); err != nil {
		return 1, err
	}
	if world, err = newWorld(*kubeconfig, logs); err != nil {
		return 1, err
	}
	// What is there already is not ours to change and to remove.
	if _, err := world.client.CoreV1().Namespaces().Get(ctx, gateNamespace, metav1.GetOptions{}); err == nil {
		return 1, fmt.Errorf("this cluster has a namespace %s: remove what deploy/sidecar.yaml made, then run the tests", gateNamespace)
	}
	return world.run(ctx, m)
}

// run runs the tests, then looks for what must not be found, and removes what
// the tests have shared.
func (w *shared) run(ctx context.Context, m *testing.M) (int, error) {
	code := m.Run()
	err := w.closeShared(ctx)
	if theCaller != nil {
		err = errors.Join(err, theCaller.confess(ctx, callerFiles...))
	}
	err = errors.Join(err, w.checkEvents(ctx), w.checkLogs())
	if err != nil {
		return 1, err
	}
	return code, nil
}

// keep writes a file to the folder of logs.
func (w *shared) keep(name string, data []byte) error {
	return os.WriteFile(filepath.Join(w.logs, name), data, 0o644)
}
