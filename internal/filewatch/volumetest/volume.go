// Package volumetest writes a projected volume the way the kubelet does
// (Kubernetes, pkg/volume/util/atomic_writer.go), for tests.
package volumetest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// A Volume is a folder that the kubelet would own.
type Volume struct {
	// Dir is where the volume is mounted. It does not exist before the first
	// Write.
	Dir string

	t       testing.TB
	writes  int
	mounts  int
	current string
}

// memory is a tmpfs on most Linux machines, as the kubelet's volume is one.
// Renames on a disk may take milliseconds each.
const memory = "/dev/shm"

// New returns a volume in a folder of the test's own.
func New(t testing.TB) *Volume {
	t.Helper()
	dir, err := os.MkdirTemp(memory, "volumetest")
	if err != nil {
		dir = t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return &Volume{Dir: filepath.Join(dir, "volume"), t: t}
}

// Path returns the path of a file of the volume.
func (v *Volume) Path(name string) string { return filepath.Join(v.Dir, name) }

// Write replaces the volume's contents by one rename of ..data.
func (v *Volume) Write(files map[string]string) {
	v.t.Helper()
	v.writes++
	folder := fmt.Sprintf("..2026_11_23_18_56_16.%d", v.writes)
	v.must(os.MkdirAll(filepath.Join(v.Dir, folder), 0o755))
	for name, content := range files {
		v.must(os.WriteFile(filepath.Join(v.Dir, folder, name), []byte(content), 0o644))
	}
	v.must(os.Symlink(folder, v.Path("..data_tmp")))
	v.must(os.Rename(v.Path("..data_tmp"), v.Path("..data")))
	for name := range files {
		if _, err := os.Lstat(v.Path(name)); err != nil {
			v.must(os.Symlink(filepath.Join("..data", name), v.Path(name)))
		}
	}
	if v.current != "" {
		v.must(os.RemoveAll(v.Path(v.current)))
	}
	v.current = folder
}

// Unmount moves the volume away, as it is: the path is gone, and the folder
// that somebody may still watch is not.
func (v *Volume) Unmount() {
	v.t.Helper()
	v.mounts++
	v.must(os.Rename(v.Dir, fmt.Sprintf("%s.%d", v.Dir, v.mounts)))
	v.current = ""
}

func (v *Volume) must(err error) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
}
