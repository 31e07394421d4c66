package minicluster

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	dataDir    = "..data"
	newDataDir = "..data_tmp"
	// The kubelet's modes for a pod without fsGroup (pkg/volume/projected).
	dirMode  = 0o755
	fileMode = 0o644
)

// A Volume is a projected volume, written by the steps of the kubelet's
// AtomicWriter (pkg/volume/util/atomic_writer.go): readers see all of the old
// files or all of the new ones. It belongs to one writer.
type Volume struct{ dir string }

// NewVolume makes the directory, if it is not there, and continues what is in
// it.
func NewVolume(dir string) (*Volume, error) {
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return nil, fmt.Errorf("minicluster: volume: %w", err)
	}
	return &Volume{dir}, nil
}

// Path returns the path under which the pod reads a file.
func (v *Volume) Path(name string) string { return filepath.Join(v.dir, name) }

// Write replaces the files of the volume, by name. Where nothing differs it
// writes nothing, and nobody who watches sees anything.
func (v *Volume) Write(files map[string][]byte) error {
	if err := v.write(files); err != nil {
		return fmt.Errorf("minicluster: volume: %w", err)
	}
	return nil
}

func (v *Volume) write(files map[string][]byte) error {
	for name := range files {
		if name == "" || strings.HasPrefix(name, "..") || strings.ContainsRune(name, '/') {
			return fmt.Errorf("%q is no name for a file of a volume", name)
		}
	}
	oldDir, err := os.Readlink(v.Path(dataDir))
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	old, err := v.names(oldDir)
	if err != nil {
		return err
	}
	if v.equal(old, files) {
		return nil
	}
	if err := v.swap(files); err != nil {
		return err
	}
	if err := v.link(old, files); err != nil {
		return err
	}
	if oldDir == "" {
		return nil
	}
	return os.RemoveAll(v.Path(oldDir))
}

// names lists the files that the volume holds.
func (v *Volume) names(dir string) ([]string, error) {
	if dir == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(v.Path(dir))
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, nil
}

func (v *Volume) equal(old []string, files map[string][]byte) bool {
	if len(old) != len(files) || len(old) == 0 {
		return false
	}
	for _, name := range old {
		want, ok := files[name]
		have, err := os.ReadFile(v.Path(filepath.Join(dataDir, name)))
		if !ok || err != nil || !bytes.Equal(have, want) {
			return false
		}
	}
	return true
}

// swap writes the files into a directory of their own and puts ..data on it.
// The modes are set apart, because of the umask.
func (v *Volume) swap(files map[string][]byte) error {
	dir, err := os.MkdirTemp(v.dir, time.Now().UTC().Format("..2006_01_02_15_04_05."))
	if err != nil {
		return err
	}
	if err := os.Chmod(dir, dirMode); err != nil {
		return err
	}
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, fileMode); err != nil {
			return err
		}
		if err := os.Chmod(path, fileMode); err != nil {
			return err
		}
	}
	if err := os.Symlink(filepath.Base(dir), v.Path(newDataDir)); err != nil {
		return err
	}
	return os.Rename(v.Path(newDataDir), v.Path(dataDir))
}

// link makes the names that the pod sees, which stay as they are from then on,
// and removes those of files that are gone.
func (v *Volume) link(old []string, files map[string][]byte) error {
	for name := range files {
		err := os.Symlink(filepath.Join(dataDir, name), v.Path(name))
		if err != nil && !os.IsExist(err) {
			return err
		}
	}
	for _, name := range old {
		if _, ok := files[name]; ok {
			continue
		}
		if err := os.Remove(v.Path(name)); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return nil
}
