package inspect

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"sallyport/internal/filewatch"
)

const (
	// maxText bounds what is read as a token, in bytes: one of the longest that
	// is looked at (16 KiB), in base64 once more, with room.
	maxText = 64 << 10
	// maxFiles bounds how many files of a directory are looked at: a volume has a
	// handful, and a mistyped /etc must not be read whole.
	maxFiles = 100
)

// A File is where a token was found.
type File struct {
	Path string `json:"path"`
	// Data is what ..data of its projected volume leads to, "" where there is
	// none: then it is a copy, or mounted with subPath, and is never renewed.
	Data string `json:"data,omitempty"`
	// Written is when the volume was written, or the file where there is none.
	Written time.Time `json:"written"`
	Mode    string    `json:"mode"` // octal
	User    uint32    `json:"user"`
	Group   uint32    `json:"group"`
}

// An Input is a text that should be a token.
type Input struct {
	File *File // nil where it is not from a regular file
	Text string
}

// Open reads the token at path, or those of the directory at path, which may be
// a projected volume. It returns those that it could read with an error about
// those that it could not: which says what to do where the permissions are at
// fault, and never holds what is in a file.
func Open(path string) ([]Input, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return openAll(path)
	case info.Mode().IsRegular():
		in, err := open(path, info)
		if err != nil {
			return nil, err
		}
		return []Input{in}, nil
	}
	// A pipe, as in: sallyport inspect <(kubectl create token app)
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := Read(f)
	if err != nil {
		return nil, err
	}
	return []Input{{Text: text}}, nil
}

// Read reads a text that should be a token.
func Read(r io.Reader) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxText+1))
	if err == nil && len(b) > maxText {
		err = fmt.Errorf("this has more than %d KiB, and is no token", maxText>>10)
	}
	if err != nil {
		return "", err
	}
	return string(b), nil
}

// openAll finds the tokens among the files of a directory.
func openAll(dir string) (found []Input, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	if len(entries) > maxFiles {
		return nil, fmt.Errorf("%s has more than %d files: name one", dir, maxFiles)
	}
	var others []string
	var errs []error
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			continue // ..data is a folder
		}
		if info.Size() > maxText {
			others = append(others, e.Name())
			continue
		}
		in, err := open(path, info)
		switch {
		case err != nil:
			errs = append(errs, err)
		case isToken(in.Text):
			found = append(found, in)
		default:
			others = append(others, e.Name())
		}
	}
	if len(found) == 0 && len(errs) == 0 {
		errs = append(errs, fmt.Errorf("no file of %s is a token; it has: %s", dir, strings.Join(append(others, "nothing else"), ", ")))
	}
	return found, errors.Join(errs...)
}

// isToken reports whether a file of a volume may be a token: its header can be
// read.
func isToken(text string) bool {
	token, _ := unwrap(text)
	return strings.Contains(token, ".") && take(token).header != nil
}

func open(path string, info os.FileInfo) (Input, error) {
	b, err := filewatch.Read(path, maxText)
	if err != nil {
		return Input{}, err
	}
	f := &File{Path: path, Written: info.ModTime().UTC().Truncate(time.Second), Mode: fmt.Sprintf("%04o", info.Mode().Perm())}
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		f.User, f.Group = s.Uid, s.Gid
	}
	dir := filepath.Dir(path)
	if strings.HasPrefix(filepath.Base(dir), "..20") || filepath.Base(dir) == "..data" {
		dir = filepath.Dir(dir)
	}
	if data, err := os.Readlink(filepath.Join(dir, "..data")); err == nil {
		f.Data = data
		if at, ok := volumeTime(data); ok {
			f.Written = at
		}
	}
	return Input{f, string(b)}, nil
}

// volumeTime is when the kubelet wrote a volume: its folder's name begins with
// that (Kubernetes, pkg/volume/util/atomic_writer.go).
func volumeTime(data string) (time.Time, bool) {
	const layout = "..2006_01_02_15_04_05"
	if len(data) < len(layout) {
		return time.Time{}, false
	}
	t, err := time.Parse(layout, data[:len(layout)])
	return t, err == nil
}

// At says where the token was found, and what is odd about the place.
func (r *Report) At(f *File) {
	r.File = f
	if f == nil {
		return
	}
	if f.Data == "" && (r.Kind == Pod || r.Kind == Extended) {
		r.find("no_volume", "there is no ..data beside the file: a copy, or mounted with subPath, and the kubelet renews neither")
	}
	if everybody := f.Mode[len(f.Mode)-1]; (everybody-'0')&4 == 0 {
		return
	}
	if f.Data == "" {
		r.find("readable", "every user of this machine can read the file (mode %s)", f.Mode)
		return
	}
	r.find("readable", "every container that mounts the volume can read the file (mode %s), as those of the pod run as different users, or none is set: set one runAsUser for the whole pod", f.Mode)
}
