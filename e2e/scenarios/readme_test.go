package scenarios

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/e2e/wait"
)

// readme returns the command of README.md that has these words in it.
func readme(t *testing.T, words string) string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if command, ok := strings.CutPrefix(line, "    "); ok && strings.Contains(command, words) {
			return strings.TrimSuffix(strings.TrimSpace(command), " &")
		}
	}
	t.Fatalf("README.md has no command with %q", words)
	return ""
}

// Given the example from deploy/,
// when somebody does what README.md says next,
// then the app answers, and has seen who they are.
func TestReadme(t *testing.T) {
	t.Parallel()
	deploy(t)
	bin, err := filepath.Abs(filepath.Dir(kubectlProgram()))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close() // for kubectl: 8443 may be somebody's here
	here := strings.NewReplacer(" 8443", " "+port+":8443", "127.0.0.1:8443", "127.0.0.1:"+port)
	shell := func(ctx context.Context, command string) *exec.Cmd {
		// So that the end of the shell is that of the command.
		cmd := exec.CommandContext(ctx, "sh", "-c", "exec "+here.Replace(command))
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "KUBECONFIG="+world.kubeconfig)
		return cmd
	}
	forwards := shell(t.Context(), readme(t, "port-forward deployment/example"))
	if err := forwards.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = forwards.Wait() }) // the test's end ends it
	curl := readme(t, "kubectl create token default")
	err = wait.For(t.Context(), "the app's answer", time.Minute, func(ctx context.Context) error {
		out, err := shell(ctx, curl).Output()
		if err == nil && !strings.Contains(string(out), "X-Remote-User: system:serviceaccount:default:default\n") {
			err = wait.Stop(fmt.Errorf("the app did not see who called:\n%s", out))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
