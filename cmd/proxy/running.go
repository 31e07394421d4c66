package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// errNotRunning means that no serve of this program runs here.
var errNotRunning = errors.New("no sallyport serve runs here: write the flags of serve, or --config FILE")

func pidFlag(fs *pflag.FlagSet) *int {
	return fs.Int("pid", 0, "the process of serve whose flags are meant, where more than one runs here")
}

// A running is a serve that runs beside us.
type running struct {
	pid  int
	args []string // behind the word serve
}

// theRunning returns the serve that runs beside us: who was started by kubectl exec
// has no other way to know its flags. pid says which is meant; 0 is the only one, a
// process of this very program. proc is /proc.
func theRunning(proc string, pid int) (running, error) {
	if pid != 0 {
		r, ok := runningAs(proc, pid)
		if !ok {
			return r, fmt.Errorf("--pid: process %d is no sallyport serve, or cannot be looked at from here", pid)
		}
		return r, nil
	}
	switch all := allRunning(proc); len(all) {
	case 0:
		return running{}, errNotRunning
	case 1:
		return all[0], nil
	default:
		var b strings.Builder
		b.WriteString("more than one sallyport serve runs here: write --pid of the one that is meant, or its flags")
		for _, r := range all {
			fmt.Fprintf(&b, "\n  --pid %-8d serve %s", r.pid, strings.Join(r.args, " "))
		}
		return running{}, errors.New(b.String())
	}
}

// allRunning returns the processes of this very program that serve.
func allRunning(proc string) (all []running) {
	own, err := os.Stat(filepath.Join(proc, "self/exe"))
	if err != nil {
		return nil
	}
	entries, err := os.ReadDir(proc)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		r, ok := runningAs(proc, pid)
		if !ok {
			continue
		}
		if exe, err := os.Stat(filepath.Join(proc, e.Name(), "exe")); err == nil && os.SameFile(own, exe) {
			all = append(all, r)
		}
	}
	return all
}

// runningAs reads what a process was started with, and reports whether it serves.
func runningAs(proc string, pid int) (running, bool) {
	words := commandLine(filepath.Join(proc, strconv.Itoa(pid), "cmdline"))
	if len(words) < 2 || words[1] != "serve" {
		return running{}, false
	}
	return running{pid, words[2:]}, true
}

// commandLine reads what a process was started with, nil where it is gone.
func commandLine(file string) []string {
	b, err := os.ReadFile(file)
	if err != nil || len(b) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00")
}

// ownFlags takes the flags that fs knows, and --help, out of args. The rest are
// serve's.
func ownFlags(fs *pflag.FlagSet, args []string) (own, serve []string) {
	for i := 0; i < len(args); i++ {
		name, _, hasValue := strings.Cut(args[i], "=")
		flag := fs.Lookup(strings.TrimPrefix(name, "--"))
		if short, ok := strings.CutPrefix(name, "-"); ok && len(short) == 1 {
			flag = fs.ShorthandLookup(short)
		}
		switch {
		case name == "--help" || name == "-h":
			own = append(own, args[i])
		case flag == nil || !strings.HasPrefix(name, "-"):
			serve = append(serve, args[i])
		case hasValue || flag.NoOptDefVal != "" || i+1 == len(args):
			own = append(own, args[i])
		default:
			own = append(own, args[i], args[i+1])
			i++
		}
	}
	return own, serve
}
