package scenarios

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// execTime is more than any of the gate's commands takes, on two busy cores.
const execTime = 30 * time.Second

// exec runs a command of the gate's program in the gate's container, as an
// operator does, reads its JSON into out, and returns its exit code. It fails
// where the output has a part of a token.
func (g *gate) exec(t *testing.T, out any, input string, args ...string) (code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), execTime)
	defer cancel()
	args = append([]string{"--kubeconfig=" + world.kubeconfig, "exec", "-i", "-n", g.namespace, g.pod.Name, "-c", "sallyport", "--", "/sallyport"}, args...)
	cmd := exec.CommandContext(ctx, kubectlProgram(), append(args, "-o=json")...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &stdout, &stderr
	err := cmd.Run()
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		code, err = failed.ExitCode(), nil
	}
	if err == nil {
		err = json.Unmarshal(stdout.Bytes(), out)
	}
	if err != nil {
		t.Fatalf("%s: %v, exit %d: %s%s", args, err, code, &stdout, &stderr)
	}
	if err := unknown(fmt.Sprint(args), append(stdout.Bytes(), stderr.Bytes()...)); err != nil {
		t.Error(err)
	}
	return code
}

// kubectlProgram is the cluster's own where we have built it.
func kubectlProgram() string {
	const ours = "../bin/kubectl"
	if _, err := os.Stat(ours); err != nil {
		return "kubectl"
	}
	return ours
}
