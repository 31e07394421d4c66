package process

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Usage is what processes have taken of the machine.
type Usage struct {
	// CPU is their time in user and system mode since they were started.
	CPU time.Duration
	// RSS is their memory, in bytes, and PeakRSS the most that each ever held. What
	// several share is counted several times.
	RSS, PeakRSS int64
}

// tick is the unit of times in /proc/PID/stat: USER_HZ, which is 100 on every
// architecture that Go runs on.
const tick = time.Second / 100

// Of reads what a process and all that descend from it have taken (proc(5)).
func Of(pid int) (Usage, error) {
	u, err := one(pid)
	if err != nil {
		return u, err
	}
	parents, err := parents()
	if err != nil {
		return u, err
	}
	family := []int{pid}
	for i := 0; i < len(family); i++ {
		for child, parent := range parents {
			if parent != family[i] || slices.Contains(family, child) {
				continue
			}
			family = append(family, child)
			if v, err := one(child); err == nil { // else it has just ended
				u.CPU, u.RSS, u.PeakRSS = u.CPU+v.CPU, u.RSS+v.RSS, u.PeakRSS+v.PeakRSS
			}
		}
	}
	return u, nil
}

// fields returns those of a process' stat from the third on, its state. The second
// is the name, in parentheses, in which anything may be.
func fields(stat string) ([]string, error) {
	data, err := os.ReadFile(stat)
	if err != nil {
		return nil, err
	}
	after := string(data[strings.LastIndexByte(string(data), ')')+1:])
	f := strings.Fields(after)
	if len(f) < 13 {
		return nil, fmt.Errorf("%s has %d fields after the name", stat, len(f))
	}
	return f, nil
}

// parents returns the parent of every process.
func parents() (map[int]int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	of := make(map[int]int, len(stats))
	for _, stat := range stats {
		f, err := fields(stat)
		if err != nil {
			continue // it has just ended
		}
		pid, err1 := strconv.Atoi(filepath.Base(filepath.Dir(stat)))
		parent, err2 := strconv.Atoi(f[1])
		if err1 == nil && err2 == nil {
			of[pid] = parent
		}
	}
	return of, nil
}

func one(pid int) (u Usage, err error) {
	dir := fmt.Sprintf("/proc/%d/", pid)
	f, err := fields(dir + "stat")
	if err != nil {
		return u, err
	}
	for _, f := range f[11:13] { // utime and stime
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return u, fmt.Errorf("%sstat: %w", dir, err)
		}
		u.CPU += time.Duration(n) * tick
	}
	status, err := os.ReadFile(dir + "status")
	if err != nil {
		return u, err
	}
	if u.RSS, err = memory(string(status), "VmRSS:"); err != nil {
		return u, err
	}
	u.PeakRSS, err = memory(string(status), "VmHWM:")
	return u, err
}

// memory returns a line of a process' status, in bytes.
func memory(status, name string) (int64, error) {
	for line := range strings.Lines(status) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == name {
			kib, err := strconv.ParseInt(f[1], 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("a process' status has no %s", name)
}
