package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/pflag"
)

// version is set by the linker for a release:
//
//	-ldflags "-X main.version=v1.2.3"
//
// Else the build's own information says it.
var version string

var versionCommand = command{
	name:    "version",
	summary: "which build this is",
	run: func(_ context.Context, args []string, s streams) error {
		fs := pflag.NewFlagSet("version", pflag.ContinueOnError)
		if err := parseFlags(fs, args, "Usage: sallyport version", s.out); err != nil {
			return ignoreHelp(err)
		}
		v, commit := build()
		fmt.Fprintf(s.out, "sallyport %s, commit %s, %s, %s/%s\n", v, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return nil
	},
}

// build returns this program's version and commit.
func build() (v, commit string) {
	info, _ := debug.ReadBuildInfo()
	return describe(version, info)
}

// describe returns the version and the commit, each "unknown" where nobody
// says.
func describe(linked string, info *debug.BuildInfo) (v, commit string) {
	v, commit = linked, "unknown"
	if info == nil {
		info = &debug.BuildInfo{}
	}
	if v == "" {
		v = info.Main.Version
	}
	if v == "" {
		v = "unknown"
	}
	modified := ""
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			commit = s.Value
		case "vcs.modified":
			if s.Value == "true" {
				modified = " with changes"
			}
		}
	}
	return v, commit + modified
}
