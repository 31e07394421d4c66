package memlimit

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

func TestContainer(t *testing.T) {
	const mib = 1 << 20
	for _, tc := range []struct {
		name  string
		files string // NAME=CONTENT, with spaces
		want  int64  // MiB; -1 for an error
	}{
		{"no Linux", "", 0},
		{"version 2, in a container", "proc/self/cgroup=0::/ sys/fs/cgroup/memory.max=134217728", 128},
		{"version 2, no limit", "proc/self/cgroup=0::/ sys/fs/cgroup/memory.max=max", 0},
		{"version 2, at the root of a node", "proc/self/cgroup=0::/", 0},
		{"version 2, on a node", "proc/self/cgroup=0::/a/b sys/fs/cgroup/a/b/memory.max=134217728", 128},
		{"version 2, the pod's is less", "proc/self/cgroup=0::/a/b sys/fs/cgroup/a/b/memory.max=max sys/fs/cgroup/a/memory.max=67108864", 64},
		{"version 2, the node's path", "proc/self/cgroup=0::/kubepods/pod1/c1 sys/fs/cgroup/memory.max=134217728", 128},
		{"version 2, outside of our root", "proc/self/cgroup=0::/../../x sys/fs/cgroup/memory.max=134217728", 128},
		{"version 1", "proc/self/cgroup=9:cpu,cpuacct:/\n8:memory:/ sys/fs/cgroup/memory/memory.limit_in_bytes=134217728", 128},
		{"version 1, two controllers", "proc/self/cgroup=8:hugetlb,memory:/ sys/fs/cgroup/memory/memory.limit_in_bytes=134217728", 128},
		{"version 1, no limit", "proc/self/cgroup=8:memory:/ sys/fs/cgroup/memory/memory.limit_in_bytes=9223372036854771712", 0},
		{"version 1, the node's path", "proc/self/cgroup=8:memory:/kubepods/pod1/c1 sys/fs/cgroup/memory/memory.limit_in_bytes=134217728", 128},
		{"both, version 1 has the memory", "proc/self/cgroup=8:memory:/a\n0::/ sys/fs/cgroup/memory/a/memory.limit_in_bytes=134217728", 128},
		{"another controller's", "proc/self/cgroup=9:cpu:/ sys/fs/cgroup/memory/memory.limit_in_bytes=134217728", 0},
		{"no number", "proc/self/cgroup=0::/ sys/fs/cgroup/memory.max=lots", -1},
		{"below zero", "proc/self/cgroup=0::/ sys/fs/cgroup/memory.max=-1", -1},
		{"not a line", "proc/self/cgroup=memory sys/fs/cgroup/memory.max=134217728", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root := fstest.MapFS{}
			for _, file := range strings.Split(tc.files, " ") {
				if name, content, ok := strings.Cut(file, "="); ok {
					root[name] = &fstest.MapFile{Data: []byte(content + "\n")}
				}
			}
			got, err := Container(root)
			if (err != nil) != (tc.want < 0) || err == nil && got != tc.want*mib {
				t.Errorf("%d, %v: want %d MiB", got, err, tc.want)
			}
		})
	}
}

// Wherever this runs there is an answer.
func TestHere(t *testing.T) {
	limit, err := Container(os.DirFS("/"))
	if err != nil || limit < 0 {
		t.Errorf("%d, %v", limit, err)
	}
	t.Logf("the limit here is %d bytes", limit)
}
