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

// runningServe returns the arguments of the serve that runs beside us: who was
// started by kubectl exec has no other way to know them. It looks for this very
// program among the processes; more than one is an error. proc is /proc.
func runningServe(proc string) (pid int, args []string, err error) {
	own, err := os.Stat(filepath.Join(proc, "self/exe"))
	if err != nil {
		return 0, nil, errNotRunning
	}
	entries, err := os.ReadDir(proc)
	if err != nil {
		return 0, nil, errNotRunning
	}
	for _, e := range entries {
		n, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		words := commandLine(filepath.Join(proc, e.Name(), "cmdline"))
		if len(words) < 2 || words[1] != "serve" {
			continue
		}
		exe, err := os.Stat(filepath.Join(proc, e.Name(), "exe"))
		if err != nil || !os.SameFile(own, exe) {
			continue
		}
		if pid != 0 {
			return 0, nil, fmt.Errorf("more than one sallyport serve runs here, processes %d and %d: write the flags of the one that is meant", pid, n)
		}
		pid, args = n, words[2:]
	}
	if pid == 0 {
		return 0, nil, errNotRunning
	}
	return pid, args, nil
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
