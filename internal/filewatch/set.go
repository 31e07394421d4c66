package filewatch

import (
	"os"
	"path/filepath"
	"strings"
)

// dataLink is the link that the kubelet swaps by a rename: every file of a
// volume is seen through it (Kubernetes, pkg/volume/util/atomic_writer.go).
const dataLink = "..data"

// setTries is how often ReadSet starts again when the folder that it reads
// from is removed meanwhile. A second swap within one read is unheard of, and a
// third would be nobody's rotation.
const setTries = 3

// ReadSet is Read for files that belong together, such as a certificate and its
// key. Files of one volume that the kubelet writes come from the same rotation;
// elsewhere the caller has to find out whether they fit.
func ReadSet(limit int, paths ...string) ([][]byte, error) {
	for range setTries {
		if set, err := readAll(limit, pin(paths)); err == nil {
			return set, nil
		}
	}
	// An error names the path that the operator knows, and a file beside the
	// rotated ones is read where it is.
	return readAll(limit, paths)
}

func readAll(limit int, paths []string) ([][]byte, error) {
	set := make([][]byte, len(paths))
	for i, path := range paths {
		b, err := Read(path, limit)
		if err != nil {
			return nil, err
		}
		set[i] = b
	}
	return set, nil
}

// pin returns paths with every ..data link replaced by the folder that it
// points to now, each link read once.
func pin(paths []string) []string {
	links := map[string]string{}
	pinned := make([]string, len(paths))
	for i, path := range paths {
		pinned[i] = pinOne(path, links)
	}
	return pinned
}

// pinOne looks for the link in every folder above path, as a volume may have
// folders of its own.
func pinOne(path string, links map[string]string) string {
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		target, known := links[dir]
		if !known {
			target, _ = os.Readlink(filepath.Join(dir, dataLink))
			links[dir] = target
		}
		rel, err := filepath.Rel(dir, path)
		if target != "" && !strings.ContainsRune(target, filepath.Separator) && err == nil {
			return filepath.Join(dir, target, rel)
		}
		if dir == filepath.Dir(dir) {
			return path
		}
	}
}
