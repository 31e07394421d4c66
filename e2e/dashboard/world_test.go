package dashboard

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// play starts `sallyport demo`, which ends with the test, and returns where its gate
// tells its metrics.
func play(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "sallyport")
	build := exec.Command("go", "build", "-o", program, "./cmd/proxy")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building sallyport: %v\n%s", err, out)
	}
	ctx, end := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "demo", "--duration=5m")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 15 * time.Second // its own grace is 2 s
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		end()
		_ = cmd.Wait() // its exit code is about its scenes, which have tests of their own
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		_, log, found := strings.Cut(lines.Text(), "logs to ")
		if !found {
			continue
		}
		go func() {
			for lines.Scan() { // else it would wait for us
			}
		}()
		flags, err := os.ReadFile(filepath.Join(filepath.Dir(log), "flags"))
		if err != nil {
			t.Fatal(err)
		}
		if m := admin.FindSubmatch(flags); m != nil {
			return string(m[1])
		}
	}
	t.Fatal("the demo does not say where it is")
	return ""
}

// start starts Prometheus, which ends with the test and scrapes the gate as if it were
// a pod.
func start(t *testing.T, gate string, flags ...string) server {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf("scrape_configs:\n- job_name: sallyport\n  scrape_interval: 1s\n  static_configs:\n  - {targets: [%q], labels: {namespace: shop, pod: orders-0}}\n", gate)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	address := free(t)
	cmd := exec.Command("prometheus", append(flags, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address, "--log.level=warn")...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatalf("no Prometheus to ask: install Debian's prometheus: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // what it has collected goes with it
		_ = cmd.Wait()
	})
	return server{"http://" + address}
}

// free is an address that was free just now: Prometheus does not tell which it got.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
