package filewatch

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	for name, content := range map[string]string{"empty": "", "full": "12345678", "over": "123456789"} {
		if err := os.WriteFile(path(name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Mkdir(path("folder"), 0o700), syscall.Mkfifo(path("fifo"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"over":      "more than 8 bytes",
		"folder":    "not a regular file",
		"fifo":      "not a regular file",
		"nothing":   "no such file",
		"full/part": "not a directory",
	} {
		b, err := Read(path(name), 8)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path(name)) || b != nil {
			t.Errorf("%s: %q, %v; want an error with the path and %q", name, b, err, want)
		}
	}
	for name, want := range map[string]string{"empty": "", "full": "12345678"} {
		if b, err := Read(path(name), 8); err != nil || string(b) != want {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
}

// /proc's files say that they are empty, as some FUSE file systems do.
func TestReadTrustsNoSize(t *testing.T) {
	const path = "/proc/self/status"
	if _, err := os.Stat(path); err != nil {
		t.Skip("no /proc here")
	}
	if b, err := Read(path, MaxFile); err != nil || len(b) == 0 {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := Read(path, 8); err == nil {
		t.Error("8 bytes of a longer file were taken for all of it")
	}
}

func TestExplain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := explain(path, &fs.PathError{Op: "open", Path: path, Err: syscall.EACCES})
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v is no longer a permission error", err)
	}
	for _, want := range []string{path, "mode 0600", "fsGroup", "runAsUser"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q in it", err, want)
		}
	}
	if err := explain(path, fs.ErrNotExist); strings.Contains(err.Error(), "fsGroup") {
		t.Errorf("a missing file is explained by its permissions: %v", err)
	}
}
