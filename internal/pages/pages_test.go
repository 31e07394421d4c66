package pages

import (
	"fmt"
	"testing"
)

func TestClean(t *testing.T) {
	const file = "/bin/a gate"
	part := func(addresses, rights, name, anonymous string) string {
		return fmt.Sprintf("%s %s 00000000 fe:00 4711                      %s\nSize:  4 kB\nRss:  4 kB\nAnonymous:  %s kB\nVmFlags: rd ex mr mw me sd \n",
			addresses, rights, name, anonymous)
	}
	for _, tc := range []struct{ name, smaps, want string }{
		{"code", part("00400000-00cb2000", "r-xp", file, "0"), "[{400000 cb2000}]"},
		{"constants", part("00cb2000-015e1000", "r--p", file, "0"), "[{cb2000 15e1000}]"},
		{"variables", part("015e1000-0166f000", "rw-p", file, "0"), "[]"},
		{"shared", part("00cb2000-015e1000", "r--s", file, "0"), "[]"},
		{"relocated, and then read-only", part("00cb2000-015e1000", "r--p", file, "12"), "[]"},
		{"another file's", part("7fbe326b6000-7fbe3280c000", "r-xp", "/lib/libc.so.6", "0"), "[]"},
		{"a name that ends like it", part("00400000-00cb2000", "r-xp", "/old"+file, "0"), "[]"},
		{"the kernel's", part("7fbe326b6000-7fbe3280c000", "r-xp", "[vdso]", "0"), "[]"},
		{"nobody's", part("7fbe326b6000-7fbe3280c000", "r-xp", "", "0"), "[]"},
		{"two, and others between", part("00400000-00cb2000", "r-xp", file, "0") + part("00cb2000-015e1000", "rw-p", file, "8") +
			part("015e1000-0166f000", "r--p", file, "0"), "[{400000 cb2000} {15e1000 166f000}]"},
		{"nothing", "", "[]"},
		{"no addresses", part("here", "r-xp", file, "0"), "error"},
		{"an empty line", "\n", "error"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			all, err := clean(tc.smaps, file)
			got := fmt.Sprintf("%x", all)
			if err != nil {
				got = "error"
			}
			if got != tc.want {
				t.Errorf("%s (%v), want %s", got, err, tc.want)
			}
		})
	}
}

// A deleted program has a name that says so, in both places.
func TestDeleted(t *testing.T) {
	const file = "/bin/gate (deleted)"
	all, err := clean("00400000-00cb2000 r-xp 00000000 fe:00 4711 "+file+"\nAnonymous: 0 kB\n", file)
	if len(all) != 1 || err != nil {
		t.Errorf("%v, %v", all, err)
	}
}
