package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// version is of all of Kubernetes' programs, and stands in kubernetes/go.mod
// too. They say it to their clients, which go by it.
const version = "v1.37.2"

// packages are Debian's, and what each is looked for by.
var packages = map[string]string{
	"containerd":                  "containerd",
	"runc":                        "runc",
	"iptables":                    "iptables",
	"iproute2":                    "ip",
	"containernetworking-plugins": "/usr/lib/cni/ptp",
	"buildah":                     "buildah",
	"busybox-static":              "busybox",
}

// Programs builds into folder bin of the module e2e, which is at the path e2e,
// Kubernetes' programs and the tests' own, in seconds when Go's build cache is
// warm. It fetches the product's modules, and installs Debian's packages that
// are missing; where it can't, it fails with what is missing.
func Programs(ctx context.Context, e2e string) error {
	if os.Getuid() != 0 {
		return errors.New("a cluster of our own needs root")
	}
	if err := install(ctx); err != nil {
		return err
	}
	const stamp = "k8s.io/component-base/version."
	static := []string{"CGO_ENABLED=0"}
	return errors.Join(
		run(ctx, filepath.Join(e2e, "kubernetes"), static, "go", "build", "-trimpath", "-o", "../bin/", "-ldflags",
			"-s -w -X "+stamp+"gitVersion="+version+" -X "+stamp+"gitMajor=1 -X "+stamp+"gitMinor=37", "tool"),
		run(ctx, e2e, static, "go", "build", "-trimpath", "-o", "bin/", "./cmd/..."),
		run(ctx, filepath.Dir(e2e), nil, "go", "mod", "download"),
	)
}

func install(ctx context.Context) error {
	var missing []string
	for name, program := range packages {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("missing, and this is not Debian: %s", strings.Join(missing, " "))
	}
	fmt.Println("installing", strings.Join(missing, " "))
	if err := run(ctx, "/", nil, "apt-get", "update", "-qq"); err != nil {
		return err
	}
	return run(ctx, "/", []string{"DEBIAN_FRONTEND=noninteractive"},
		"apt-get", append([]string{"install", "-y", "-qq", "--no-install-recommends"}, missing...)...)
}

// run runs a command to its end. Its output is in the error.
func run(ctx context.Context, dir string, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}
