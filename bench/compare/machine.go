package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// A machine is what figures were measured on, and with.
type machine struct {
	Cores                int
	CPU                  string
	SHA                  bool // instructions for SHA-256, which keys of the cache are made with
	Kernel, Go           string
	Nginx, HAProxy, Load string // versions; "" where it is not installed
}

func thisMachine(ctx context.Context, t *tools) machine {
	m := machine{Cores: runtime.NumCPU(), Go: runtime.Version()}
	m.CPU, m.SHA = processor()
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err == nil {
		m.Kernel = strings.TrimSpace(string(kernel))
	}
	m.Nginx = version(ctx, t.nginx, "-v")
	m.HAProxy = version(ctx, t.haproxy, "-v")
	var load []string
	if v := version(ctx, t.wrk, "-v"); v != "" {
		load = append(load, "wrk "+v)
	}
	if v := version(ctx, t.h2load, "--version"); v != "" {
		load = append(load, "h2load "+v)
	}
	m.Load = strings.Join(append(load, "steady"), ", ")
	return m
}

// processor reads /proc/cpuinfo, which has other fields on every architecture.
func processor() (model string, sha bool) {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH, false
	}
	model = runtime.GOARCH
	for line := range strings.Lines(string(info)) {
		name, value, _ := strings.Cut(line, ":")
		switch value = strings.TrimSpace(value); strings.TrimSpace(name) {
		case "model name":
			model = value
		case "flags", "Features": // x86, arm64
			f := strings.Fields(value)
			sha = slices.Contains(f, "sha_ni") || slices.Contains(f, "sha2")
		}
	}
	return model, sha
}

var versionPattern = regexp.MustCompile(`\d+\.\d+[\w.]*`)

// version asks a program; some exit with a status that says that they were not
// meant for it.
func version(ctx context.Context, program, flag string) string {
	if program == "" {
		return ""
	}
	out, _ := exec.CommandContext(ctx, program, flag).CombinedOutput()
	return versionPattern.FindString(string(out))
}

func (m machine) String() string {
	sha := "without"
	if m.SHA {
		sha = "with"
	}
	s := fmt.Sprintf("%d cores of %s %s SHA instructions, Linux %s, %s", m.Cores, m.CPU, sha, m.Kernel, m.Go)
	for _, v := range []struct{ name, version string }{{"nginx", m.Nginx}, {"HAProxy", m.HAProxy}} {
		if v.version != "" {
			s += ", " + v.name + " " + v.version
		}
	}
	return s + "; load by " + m.Load
}
