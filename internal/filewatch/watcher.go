package filewatch

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
	"go.uber.org/zap"
)

// checkEvery is how soon a folder that was removed and is back, or was mounted
// anew, is watched again. Until then polling alone sees its changes.
const checkEvery = time.Second

// A Watcher hints at changes of files. One serves a whole process: the kernel
// allows a user few inotify instances (128 by default), which all pods of a
// node with that user id share.
type Watcher struct {
	log     *zap.Logger
	folders map[string]*folder
}

// folder is a watched directory. A watch on a file would follow its link to
// the first rotation's copy and stay there.
type folder struct {
	names   map[string][]chan struct{} // base names, and who wants to know
	all     []chan struct{}
	seen    os.FileInfo // what is watched; nil for nothing
	trouble Trouble
}

// NewWatcher returns a Watcher that watches nothing yet.
func NewWatcher(log *zap.Logger) *Watcher {
	return &Watcher{log: log, folders: map[string]*folder{}}
}

// Hints returns a channel that gets a value when one of paths may have changed.
// A hint may be false, late or missing. Hints must not be called once Run runs.
func (w *Watcher) Hints(paths ...string) <-chan struct{} {
	c := make(chan struct{}, 1)
	for _, path := range paths {
		dir, name := filepath.Dir(path), filepath.Base(path)
		f := w.folders[dir]
		if f == nil {
			f = &folder{names: map[string][]chan struct{}{}}
			w.folders[dir] = f
		}
		f.names[name] = append(f.names[name], c)
		f.all = append(f.all, c)
	}
	return c
}

// Run watches until ctx is done, and then returns nil. Where the system has no
// notifications to give, it says so once and gives no hints.
func (w *Watcher) Run(ctx context.Context) error {
	n, err := fsnotify.NewWatcher()
	if err != nil {
		w.log.Warn("no file notifications: changes are found by polling alone", zap.Error(err))
		<-ctx.Done()
		return nil
	}
	defer n.Close()
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	w.check(n)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			w.check(n)
		case event := <-n.Events:
			w.tell(event)
		case <-n.Errors:
			// Most likely an overflow: some event was lost, so any file may
			// have changed.
			w.tellAll()
		}
	}
}

// check watches the folders that are not watched, or are no longer those that
// were. A remount gives no event, so one has to look.
func (w *Watcher) check(n *fsnotify.Watcher) {
	watched := n.WatchList()
	for dir, f := range w.folders {
		// Looked at before the watch is added, so that a folder swapped in
		// between differs the next time.
		now, err := os.Stat(dir)
		if err == nil && f.seen != nil && slices.Contains(watched, dir) && os.SameFile(f.seen, now) {
			continue
		}
		if f.seen != nil {
			_ = n.Remove(dir) // it may be gone already
			f.seen = nil
		}
		if err == nil {
			err = n.Add(dir)
		}
		if err != nil {
			w.unwatched(f, err)
			continue
		}
		f.seen = now
		f.trouble.Over(w.log.With(zap.String("folder", dir)), "file notifications are back")
		hint(f.all)
	}
}

func (w *Watcher) unwatched(f *folder, err error) {
	// Whoever reads the file says that it is missing, and says it better.
	if !errors.Is(err, fs.ErrNotExist) {
		f.trouble.Met(w.log, "cannot watch a folder: its changes are found by polling alone", err)
	}
}

// tell passes an event on to those who follow the file, or all files of the
// folder when its ..data was swapped: then no event names a file.
func (w *Watcher) tell(event fsnotify.Event) {
	// The kubelet sets modes before each swap, and reading the file may be
	// possible only now; polling finds that out.
	if event.Op == fsnotify.Chmod {
		return
	}
	f := w.folders[filepath.Dir(event.Name)]
	if f == nil {
		return
	}
	if name := filepath.Base(event.Name); name == dataLink {
		hint(f.all)
	} else {
		hint(f.names[name])
	}
}

func (w *Watcher) tellAll() {
	for _, f := range w.folders {
		hint(f.all)
	}
}

// hint never waits: a hint that has not been taken says the same.
func hint(to []chan struct{}) {
	for _, c := range to {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
