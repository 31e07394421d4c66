// Package filewatch follows files that somebody else replaces while we run:
// tokens, certificates and CA bundles in a pod's volumes.
//
// It polls the contents, because nothing else is true everywhere: inotify is
// silent after a remount and on some file systems, a kubelet's rotation never
// touches the name of the file, and the modification time of a rotated file may
// stay what it was. Notifications are hints that make it quicker, and every
// user works without them.
package filewatch

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// MaxFile is the longest certificate, key or CA file in bytes that is read. A
// bundle with every public CA has about 250 KB.
const MaxFile = 1 << 20

// Read returns the contents of the regular file at path, and an error for one
// of more than limit bytes. It opens the file anew each time: a descriptor kept
// open goes on showing what was there before a rotation.
//
// The error names the path and, where the permissions are at fault, the cure.
// It never holds any of the contents.
func Read(path string, limit int) ([]byte, error) {
	// Non-blocking, as opening a FIFO waits for its writer otherwise.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, explain(path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	var b bytes.Buffer
	b.Grow(int(min(info.Size(), int64(limit))) + bytes.MinRead)
	if _, err := b.ReadFrom(io.LimitReader(f, int64(limit)+1)); err != nil {
		return nil, err
	}
	if b.Len() > limit {
		return nil, fmt.Errorf("%s has more than %d bytes", path, limit)
	}
	return b.Bytes(), nil
}

// explain adds to a permission error what makes the kubelet write a file that
// we may read: it chooses mode 0600 where all containers of a pod run as the
// same user, and 0640 for the pod's group where there is an fsGroup
// (Kubernetes, pkg/volume/projected/projected.go).
func explain(path string, err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	mode := "unknown"
	if info, err := os.Stat(path); err == nil {
		mode = fmt.Sprintf("%#o", info.Mode().Perm())
	}
	return fmt.Errorf("%w (mode %s, we run as user %d): set securityContext.fsGroup on the pod, "+
		"or the same runAsUser on all of its containers", err, mode, os.Getuid())
}
