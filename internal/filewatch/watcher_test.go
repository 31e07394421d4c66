package filewatch

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"sallyport/internal/filewatch/volumetest"
)

// patience is how long a hint may take on a busy machine: the tests end when it
// comes.
const patience = 10 * time.Second

func wantHint(t *testing.T, hints <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-hints:
	case <-time.After(patience):
		t.Fatalf("%s: no hint", what)
	}
}

func start(t *testing.T, w *Watcher) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestWatcher(t *testing.T) {
	v := volumetest.New(t)
	v.Write(map[string]string{"token": "1", "ca.crt": "1"})
	plain := filepath.Join(t.TempDir(), "plain")
	core, logs := observer.New(zap.DebugLevel)
	w := NewWatcher(zap.New(core))
	volume, file := w.Hints(v.Path("token"), v.Path("ca.crt")), w.Hints(plain)
	start(t, w)
	wantHint(t, volume, "watched")
	wantHint(t, file, "watched")

	for range 3 {
		v.Write(map[string]string{"token": "2", "ca.crt": "1"})
		wantHint(t, volume, "rotated")
	}
	if err := os.WriteFile(plain, []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantHint(t, file, "written")
	if n := logs.Len(); n != 0 {
		t.Errorf("logged: %v", logs.All())
	}
}

func TestWatcherRemount(t *testing.T) {
	v := volumetest.New(t)
	w := NewWatcher(zap.NewNop())
	hints := w.Hints(v.Path("token"))
	start(t, w)
	for _, how := range []string{"missing at start", "remounted"} {
		v.Write(map[string]string{"token": "1"})
		wantHint(t, hints, how)
		v.Write(map[string]string{"token": "2"})
		wantHint(t, hints, how+", then rotated")
		v.Unmount()
	}
}

// A folder that is replaced by another one at the same path, as by a mount over
// it, gives no event at all.
func TestCheckSeesAnotherFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "link")
	w := NewWatcher(zap.NewNop())
	hints := w.Hints(filepath.Join(dir, "token"))
	n, err := fsnotify.NewWatcher()
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	for i := range 3 {
		target := t.TempDir()
		if os.Remove(dir); os.Symlink(target, dir) != nil {
			t.Fatal("no symbolic links here")
		}
		w.check(n)
		if len(hints) != 1 {
			t.Fatalf("folder %d: not watched anew", i)
		}
		<-hints
		if w.check(n); len(hints) != 0 {
			t.Errorf("folder %d: watched anew though it is the same", i)
		}
		if err := os.WriteFile(filepath.Join(target, "token"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		for len(hints) == 0 {
			select {
			case e := <-n.Events:
				w.tell(e)
			case <-time.After(patience):
				t.Fatalf("folder %d: no event", i)
			}
		}
		<-hints
	}
}

func TestTell(t *testing.T) {
	w := NewWatcher(zap.NewNop())
	token, ca := w.Hints("/v/token"), w.Hints("/v/ca.crt")
	for _, tc := range []struct {
		name      string
		op        fsnotify.Op
		token, ca int
	}{
		{"/v/..data", fsnotify.Create, 1, 1},
		{"/v/..data", fsnotify.Create | fsnotify.Chmod, 1, 1},
		{"/v/token", fsnotify.Write, 1, 0},
		{"/v/ca.crt", fsnotify.Rename, 0, 1},
		{"/v/..data_tmp", fsnotify.Create, 0, 0},
		{"/v/..2026_11_23_18_56_16.1", fsnotify.Create, 0, 0},
		{"/v/..data", fsnotify.Chmod, 0, 0},
		{"/v/token", fsnotify.Chmod, 0, 0},
		{"/elsewhere/token", fsnotify.Write, 0, 0},
	} {
		w.tell(fsnotify.Event{Name: tc.name, Op: tc.op})
		w.tell(fsnotify.Event{Name: tc.name, Op: tc.op}) // a second hint says no more
		if len(token) != tc.token || len(ca) != tc.ca {
			t.Errorf("%v %s: %d and %d hints, want %d and %d", tc.op, tc.name, len(token), len(ca), tc.token, tc.ca)
		}
		for len(token)+len(ca) > 0 {
			select {
			case <-token:
			case <-ca:
			}
		}
	}
	if w.tellAll(); len(token) != 1 || len(ca) != 1 {
		t.Error("an overflow did not hint at every file")
	}
}

func TestWatcherCannotWatch(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	core, logs := observer.New(zap.DebugLevel)
	w := NewWatcher(zap.New(core))
	w.Hints(filepath.Join(file, "token")) // below a regular file: watching it is refused
	n, err := fsnotify.NewWatcher()
	if err != nil {
		t.Fatal(err)
	}
	n.Close() // every Add fails now
	w.check(n)
	if logs.Len() != 0 {
		t.Errorf("a missing folder is logged: %v", logs.All())
	}
	if err := os.Mkdir(file, 0o700); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		w.check(n)
	}
	if logs.Len() != 1 {
		t.Errorf("%d lines, want one: %v", logs.Len(), logs.All())
	}
}

// The kernel drops a watch when the file system is unmounted, and a folder made
// anew may have the same inode number.
func TestCheckSeesLostWatch(t *testing.T) {
	dir := t.TempDir()
	w := NewWatcher(zap.NewNop())
	hints := w.Hints(filepath.Join(dir, "token"))
	n, err := fsnotify.NewWatcher()
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	w.check(n)
	<-hints
	if err := n.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if w.check(n); len(hints) != 1 || len(n.WatchList()) != 1 {
		t.Error("a folder whose watch was lost is not watched again")
	}
}
