package dashboard

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/e2e/demo"
)

// play starts `sallyport demo`, which ends with the test, and returns where its gate
// tells its metrics.
func play(t *testing.T) string {
	t.Helper()
	program, err := demo.Build(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	folder := make(chan string, 1)
	d, err := demo.Start(program, func(line string) {
		if _, log, found := strings.Cut(line, "logs to "); found {
			folder <- filepath.Dir(log) // it says so once
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.End)
	select {
	case dir := <-folder:
		flags, err := os.ReadFile(filepath.Join(dir, "flags"))
		if err != nil {
			t.Fatal(err)
		}
		if m := admin.FindSubmatch(flags); m != nil {
			return string(m[1])
		}
	case <-d.Told():
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
