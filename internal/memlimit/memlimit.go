// Package memlimit is how much memory our container may take, so that the garbage
// collector works harder before the kernel ends us.
package memlimit

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// none is a limit that is none: version 1 of control groups says so by the largest
// number of bytes in whole pages (kernel, mm/page_counter.c).
const none = 1 << 62

// Container returns the least memory limit, in bytes, of the control groups that
// this process is in: version 2's memory.max, and version 1's
// memory.limit_in_bytes. Without one it is 0. The file system is that of the root
// folder.
func Container(root fs.FS) (int64, error) {
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil // this is no Linux
	}
	if err != nil {
		return 0, err
	}
	least := int64(none)
	for line := range strings.Lines(string(groups)) {
		// HIERARCHY:CONTROLLERS:PATH (cgroups(7)); version 2 has no controllers.
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 {
			continue
		}
		at, file := "sys/fs/cgroup", "memory.max"
		if f[1] != "" {
			if at, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"; !strings.Contains(","+f[1]+",", ",memory,") {
				continue
			}
		}
		limit, err := within(root, at, f[2], file)
		if err != nil {
			return 0, err
		}
		least = min(least, limit)
	}
	if least == none {
		return 0, nil
	}
	return least, nil
}

// within returns the least limit of a group and those that it is in. A container
// may see the path that its group has on the node, and only its own group's
// files, at the top: what is not there limits nothing.
func within(root fs.FS, at, group, file string) (int64, error) {
	least := int64(none)
	for dir := path.Clean("/" + group); ; dir = path.Dir(dir) {
		limit, err := read(root, path.Join(at, dir, file))
		if err != nil {
			return 0, err
		}
		if least = min(least, limit); dir == "/" {
			return least, nil
		}
	}
}

func read(root fs.FS, name string) (int64, error) {
	data, err := fs.ReadFile(root, name)
	text := strings.TrimSpace(string(data))
	switch {
	case errors.Is(err, fs.ErrNotExist) || text == "max":
		return none, nil
	case err != nil:
		return 0, err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("/%s holds %q, which is no number of bytes", name, text)
	}
	return n, nil
}
