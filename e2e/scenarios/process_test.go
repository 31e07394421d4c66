package scenarios

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"sallyport/e2e/cluster"
)

// containerID is the runtime's name of the gate's container.
func (g *gate) containerID(t *testing.T) string {
	t.Helper()
	s := containerStatus(g.look(t), "sallyport")
	if s == nil {
		t.Fatal("the gate has no container")
	}
	_, id, _ := strings.Cut(s.ContainerID, "://")
	return id
}

// pid is the gate's process on the node.
func (g *gate) pid(t *testing.T) int {
	t.Helper()
	pid, err := world.cluster.ContainerPID(t.Context(), g.containerID(t))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// procFile reads what the kernel tells of a process.
func procFile(t *testing.T, pid int, name string) string {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// pause stops one of the cluster's programs, until goOn or the test's end.
func pause(t *testing.T, p *cluster.Process) {
	t.Helper()
	if err := p.Pause(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { goOn(t, p) })
}

func goOn(t *testing.T, p *cluster.Process) {
	t.Helper()
	if err := p.Signal(syscall.SIGCONT); err != nil {
		t.Error(err)
	}
}
