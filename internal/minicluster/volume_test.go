package minicluster

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
)

func volume(t *testing.T) *Volume {
	t.Helper()
	v, err := NewVolume(filepath.Join(t.TempDir(), "tokens"))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (v *Volume) mustWrite(t *testing.T, files map[string][]byte) {
	t.Helper()
	if err := v.Write(files); err != nil {
		t.Fatal(err)
	}
}

func (v *Volume) read(name string) string {
	b, err := os.ReadFile(v.Path(name))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// kubernetes-tokens 2.3 and 2.4.
func TestVolumeLayout(t *testing.T) {
	v := volume(t)
	v.mustWrite(t, map[string][]byte{"token": []byte("one"), "ca.crt": []byte("ca")})
	first, err := os.Readlink(v.Path("..data"))
	if err != nil {
		t.Fatal(err)
	}
	if ok, _ := regexp.MatchString(`^\.\.\d{4}_\d\d_\d\d_\d\d_\d\d_\d\d\.\d+$`, first); !ok {
		t.Errorf("..data -> %s", first)
	}
	if link, _ := os.Readlink(v.Path("token")); link != "..data/token" {
		t.Errorf("token -> %s", link)
	}
	for path, mode := range map[string]os.FileMode{first: 0o755 | os.ModeDir, "token": 0o644} {
		if info, err := os.Stat(v.Path(path)); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v %v, want %v", path, info.Mode(), err, mode)
		}
	}
	v.mustWrite(t, map[string][]byte{"token": []byte("two"), "namespace": []byte("shop")})
	if v.read("token") != "two" || v.read("namespace") != "shop" {
		t.Errorf("token = %q, namespace = %q", v.read("token"), v.read("namespace"))
	}
	for _, gone := range []string{first, "ca.crt", "..data_tmp"} {
		if _, err := os.Lstat(v.Path(gone)); !os.IsNotExist(err) {
			t.Errorf("%s is still there", gone)
		}
	}
}

// Nothing is written where nothing differs; a new Volume continues an old one.
func TestVolumeUnchanged(t *testing.T) {
	v := volume(t)
	files := map[string][]byte{"token": []byte("one")}
	v.mustWrite(t, files)
	before, _ := os.Readlink(v.Path("..data"))
	again, err := NewVolume(v.dir)
	if err != nil {
		t.Fatal(err)
	}
	again.mustWrite(t, files)
	if after, _ := os.Readlink(v.Path("..data")); after != before {
		t.Errorf("written anew: %s, then %s", before, after)
	}
}

// A file that is open keeps the old content.
func TestVolumeOpenFile(t *testing.T) {
	v := volume(t)
	v.mustWrite(t, map[string][]byte{"token": []byte("one")})
	f, err := os.Open(v.Path("token"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	v.mustWrite(t, map[string][]byte{"token": []byte("two")})
	b := make([]byte, 10)
	if n, err := f.Read(b); err != nil || string(b[:n]) != "one" {
		t.Errorf("read %q %v", b[:n], err)
	}
}

func TestVolumeNames(t *testing.T) {
	v := volume(t)
	for _, name := range []string{"", "..", "..data", "a/b"} {
		if v.Write(map[string][]byte{name: nil}) == nil {
			t.Errorf("%q is a name", name)
		}
	}
}

// kubernetes-tokens 2.3: what somebody sees who watches the directory.
func TestVolumeEvents(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the events are those of inotify")
	}
	v := volume(t)
	v.mustWrite(t, map[string][]byte{"token": []byte("0")})
	w, err := fsnotify.NewWatcher()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := w.Add(v.dir); err != nil {
		t.Fatal(err)
	}
	stamp := regexp.MustCompile(`^\.\.\d.*`)
	want := []string{"CREATE ..<ts>", "CHMOD ..<ts>", "CREATE ..data_tmp", "RENAME ..data_tmp", "CREATE ..data", "REMOVE ..<ts>"}
	for i := range 3 {
		v.mustWrite(t, map[string][]byte{"token": fmt.Append(nil, i+1)})
		var got []string
		for len(got) < len(want) {
			select {
			case e := <-w.Events:
				got = append(got, e.Op.String()+" "+stamp.ReplaceAllString(filepath.Base(e.Name), "..<ts>"))
			case err := <-w.Errors:
				t.Fatal(err)
			case <-time.After(5 * time.Second):
				t.Fatalf("rotation %d: %v, and no more", i, got)
			}
		}
		equal(t, fmt.Sprintf("rotation %d", i), got, want)
	}
}
