package pages

import (
	"os"
	"regexp"
	"strconv"
	"syscall"
	"testing"
)

// resident is how much of this program's file is mapped, in KiB.
func resident(t *testing.T) (kib int) {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	if found := regexp.MustCompile(`RssFile:\s+(\d+) kB`).FindSubmatch(status); found != nil {
		kib, _ = strconv.Atoi(string(found[1]))
	}
	return kib
}

// fill maps all of this program.
func fill(t *testing.T) {
	t.Helper()
	const populateRead = 22 // MADV_POPULATE_READ, since Linux 5.14
	smaps, _ := os.ReadFile("/proc/self/smaps")
	file, _ := os.Readlink("/proc/self/exe")
	all, err := clean(string(smaps), file)
	if len(all) == 0 || err != nil {
		t.Fatalf("%v, %v in\n%s", all, err, smaps)
	}
	for _, m := range all {
		_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, m.start, m.end-m.start, populateRead)
	}
}

// What goes is much, and what is needed comes back.
func TestForget(t *testing.T) {
	fill(t)
	before := resident(t)
	if err := Forget(); err != nil {
		t.Fatal(err)
	}
	after := resident(t)
	t.Logf("%d KiB before, %d after", before, after)
	if before == 0 || after >= before*4/5 {
		t.Errorf("%d KiB of files before, %d after", before, after)
	}
}
