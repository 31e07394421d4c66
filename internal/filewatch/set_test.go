package filewatch

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"sallyport/internal/filewatch/volumetest"
)

func TestReadSetIsOfOneRotation(t *testing.T) {
	v := volumetest.New(t)
	write := func(i int) { v.Write(map[string]string{"cert": fmt.Sprint(i), "key": fmt.Sprint(i)}) }
	write(0)
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		defer close(done)
		for i := range 500 {
			write(i)
		}
	})
	good, mixed := 0, 0
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		paths := pin([]string{v.Path("cert"), v.Path("key")})
		set, err := readAll(MaxFile, paths)
		if err != nil {
			continue // the folder was removed; ReadSet starts again then
		}
		good++
		if string(set[0]) != string(set[1]) {
			mixed++
		}
	}
	wg.Wait()
	if mixed > 0 || good == 0 {
		t.Errorf("%d of %d reads were of two rotations", mixed, good)
	}
}

func TestPin(t *testing.T) {
	v := volumetest.New(t)
	v.Write(map[string]string{"a": "1"})
	data, err := os.Readlink(v.Path("..data"))
	if err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(t.TempDir(), "a")
	for path, want := range map[string]string{
		v.Path("a"):        v.Path(data + "/a"),
		v.Path("sub/a"):    v.Path(data + "/sub/a"),
		plain:              plain,
		"relative":         "relative",
		"relative/further": "relative/further",
	} {
		if got := pin([]string{path})[0]; got != want {
			t.Errorf("%s is pinned to %s, want %s", path, got, want)
		}
	}
}

// A link that is not the kubelet's must not lead anywhere.
func TestPinStaysInVolume(t *testing.T) {
	for _, target := range []string{"/etc", "../elsewhere"} {
		path := filepath.Join(t.TempDir(), "a")
		if err := os.Symlink(target, filepath.Join(filepath.Dir(path), dataLink)); err != nil {
			t.Fatal(err)
		}
		if got := pin([]string{path})[0]; got != path {
			t.Errorf("..data -> %s: pinned to %s", target, got)
		}
	}
}

func TestReadSet(t *testing.T) {
	v := volumetest.New(t)
	v.Write(map[string]string{"cert": "c", "key": "k"})
	beside := v.Path("beside") // in the volume's folder, but none of its files
	if err := os.WriteFile(beside, []byte("b"), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := ReadSet(MaxFile, v.Path("cert"), v.Path("key"), beside)
	if err != nil || fmt.Sprintf("%s", set) != "[c k b]" {
		t.Errorf("%s, %v", set, err)
	}
	missing := v.Path("missing")
	if _, err := ReadSet(MaxFile, v.Path("cert"), missing); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("%v; want the path as the operator knows it, %s", err, missing)
	}
}
