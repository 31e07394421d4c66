package scenarios

import (
	"slices"
	"strings"
	"testing"
)

// Given the example as it stands,
// when the node's kernel is asked about the gate's process,
// then its root is read-only, it has no capability and cannot get one, its system
// calls are filtered, and it is the user that the manifest names. All scenarios
// with the example's gate show what it does in there.
func TestOwnConfined(t *testing.T) {
	pid := deploy(t).pid(t)
	root := ""
	for line := range strings.Lines(procFile(t, pid, "mountinfo")) {
		if f := strings.Fields(line); f[4] == "/" { // proc(5): mount point, options
			root = f[5]
		}
	}
	if !slices.Contains(strings.Split(root, ","), "ro") {
		t.Errorf("its root is mounted with %q", root)
	}
	status := map[string]string{}
	for line := range strings.Lines(procFile(t, pid, "status")) {
		name, value, _ := strings.Cut(line, ":")
		status[name] = strings.Join(strings.Fields(value), " ")
	}
	for name, want := range map[string]string{
		"Uid": "65532 65532 65532 65532", "Gid": "65532 65532 65532 65532",
		"CapEff": "0000000000000000", "CapBnd": "0000000000000000",
		"NoNewPrivs": "1", "Seccomp": "2",
	} {
		if status[name] != want {
			t.Errorf("%s: %q, want %q", name, status[name], want)
		}
	}
}
