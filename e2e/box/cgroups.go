package box

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const cgroupRoot = "/sys/fs/cgroup"

// hierarchies returns the folders at which control groups begin: one with
// version 2, one a controller with version 1 and the hybrid of both.
func hierarchies() ([]string, error) {
	if _, err := os.Stat(filepath.Join(cgroupRoot, "cgroup.procs")); err == nil {
		return []string{cgroupRoot}, nil
	}
	all, err := filepath.Glob(filepath.Join(cgroupRoot, "*", "cgroup.procs"))
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("no control groups at %s", cgroupRoot)
	}
	for i := range all {
		all[i] = filepath.Dir(all[i])
	}
	return all, err
}

// makeCgroups makes the group name in each hierarchy. Two kubelets that shared a
// group would end each other's pods.
func makeCgroups(name string) error {
	roots, err := hierarchies()
	if err != nil {
		return err
	}
	for _, root := range roots {
		if err := os.MkdirAll(filepath.Join(root, name), 0o755); err != nil {
			return err
		}
		if err := inheritCPUs(root, name); err != nil {
			return err
		}
	}
	return nil
}

// inheritCPUs gives a group of the controller cpuset what its parent has. In
// version 1 it begins with nothing, and then no process can enter it.
func inheritCPUs(root, name string) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		data, err := os.ReadFile(filepath.Join(root, file))
		if errors.Is(err, fs.ErrNotExist) {
			continue // version 2's root, or another controller
		}
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(root, name, file), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Remove removes a box that has ended: its control groups, and all of dir
// but the files below keep.
func Remove(dir, keep string) error {
	roots, err := hierarchies()
	for _, root := range roots {
		err = errors.Join(err, removeGroups(filepath.Join(root, filepath.Base(dir))))
	}
	entries, readErr := os.ReadDir(dir)
	err = errors.Join(err, readErr)
	for _, e := range entries {
		if e.Name() != keep {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

// removeGroups removes a control group and those in it, innermost first. Their
// files go with them.
func removeGroups(group string) error {
	var groups []string
	err := filepath.WalkDir(group, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			groups = append(groups, path)
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	slices.SortFunc(groups, func(a, b string) int { return strings.Count(b, "/") - strings.Count(a, "/") })
	for _, g := range groups {
		err = errors.Join(err, removeGroup(g))
	}
	return err
}

// removeGroup waits 5 s at most: the kernel lets go of a group shortly after
// its last process.
func removeGroup(group string) error {
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		err := os.Remove(group)
		if err == nil || errors.Is(err, fs.ErrNotExist) || time.Now().After(deadline) {
			if errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
			return err
		}
	}
}
