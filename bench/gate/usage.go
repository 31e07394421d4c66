package gate

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// A Usage is what a process has taken of the machine.
type Usage struct {
	// CPU is its time in user and system mode since it was started.
	CPU time.Duration
	// PeakRSS is the most memory that it ever held, in bytes.
	PeakRSS int64
}

// tick is the unit of times in /proc/PID/stat: USER_HZ, which is 100 on every
// architecture that Go runs on.
const tick = time.Second / 100

// Usage reads the process' use from /proc (proc(5)).
func (g *Gate) Usage() (u Usage, err error) {
	dir := fmt.Sprintf("/proc/%d/", g.cmd.Process.Pid)
	stat, err := os.ReadFile(dir + "stat")
	if err != nil {
		return u, err
	}
	// The second field is the name, in parentheses; utime and stime are the
	// 14th and 15th.
	_, after, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return u, fmt.Errorf("%sstat has %d fields", dir, len(fields))
	}
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return u, fmt.Errorf("%sstat: %w", dir, err)
		}
		u.CPU += time.Duration(n) * tick
	}
	u.PeakRSS, err = peak(dir + "status")
	return u, err
}

func peak(status string) (int64, error) {
	data, err := os.ReadFile(status)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmHWM:" {
			kib, err := strconv.ParseInt(f[1], 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("%s has no VmHWM", status)
}
