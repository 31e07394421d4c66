package process

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A Held is what a process holds of what the kernel counts.
type Held struct {
	// Files are its open descriptors, and Threads its threads.
	Files, Threads int
}

// Held reads what the process itself holds, without what it started (proc(5)).
func (p *Process) Held() (h Held, err error) {
	dir := fmt.Sprintf("/proc/%d", p.cmd.Process.Pid)
	files, err := os.ReadDir(filepath.Join(dir, "fd"))
	if err != nil {
		return h, err
	}
	h.Files = len(files)
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return h, err
	}
	for line := range strings.Lines(string(status)) {
		if n, ok := strings.CutPrefix(line, "Threads:"); ok {
			h.Threads, err = strconv.Atoi(strings.TrimSpace(n))
			return h, err
		}
	}
	return h, fmt.Errorf("%s/status has no Threads", dir)
}
