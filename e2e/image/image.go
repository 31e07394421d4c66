// Package image builds container images from Dockerfiles where there is no
// registry: the base image is made of what this machine has, and modules come
// from its module cache alone.
package image

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// A Builder builds images with buildah. It needs root.
type Builder struct {
	dir   string // what buildah keeps, for this builder alone
	cache string // what the Dockerfiles' cache mounts hold, for all
	goDir string // GOROOT
	mods  string // the module cache's downloads
}

// base is the image that our Dockerfile builds in.
const base = "docker.io/library/golang:1.26"

// New makes a builder that works in dir, and the base image. Between runs the
// Dockerfiles' cache mounts are kept in the folder cache.
func New(ctx context.Context, dir, cache string) (*Builder, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT", "GOMODCACHE").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != 2 {
		return nil, fmt.Errorf("go env: %q", out)
	}
	b := &Builder{dir: dir, cache: cache, goDir: lines[0], mods: filepath.Join(lines[1], "cache", "download")}
	for _, d := range []string{dir, cache} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, err
		}
	}
	return b, b.makeBase(ctx)
}

// makeBase makes base: a shell with the usual commands, and certificates. Go is
// mounted when it is used, which is quicker than to copy it.
func (b *Builder) makeBase(ctx context.Context) error {
	root := filepath.Join(b.dir, "base")
	for _, d := range []string{"bin", "etc/ssl/certs", "usr/local/go", "go", "modules", "root"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			return err
		}
	}
	if err := os.Mkdir(filepath.Join(root, "tmp"), 0o777); err != nil {
		return err
	}
	if err := os.Chmod(filepath.Join(root, "tmp"), 0o1777|os.ModeSticky); err != nil {
		return err
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return err
	}
	for from, to := range map[string]string{
		busybox:                              "bin/busybox",
		"/etc/ssl/certs/ca-certificates.crt": "etc/ssl/certs/ca-certificates.crt",
	} {
		if err := run(ctx, "cp", from, filepath.Join(root, to)); err != nil {
			return err
		}
	}
	if err := run(ctx, "chroot", root, "/bin/busybox", "--install", "-s", "/bin"); err != nil {
		return err
	}
	const dockerfile = `FROM scratch
COPY . /
ENV HOME=/root PATH=/usr/local/go/bin:/bin GOPATH=/go GOTOOLCHAIN=local GOPROXY=file:///modules GOSUMDB=off
`
	return b.bud(ctx, root, dockerfile, base)
}

// Build builds the Dockerfile at path, with its folder's parent context, and
// writes the image to the archive, under the full name.
func (b *Builder) Build(ctx context.Context, contextDir, dockerfile, name, archive string, args ...string) error {
	flags := []string{
		"--file=" + dockerfile,
		"--volume=" + b.goDir + ":/usr/local/go:ro", "--volume=" + b.mods + ":/modules:ro",
	}
	// As BuildKit does by itself.
	for _, arg := range append([]string{"TARGETOS=linux", "TARGETARCH=" + runtime.GOARCH}, args...) {
		flags = append(flags, "--build-arg="+arg)
	}
	flags = append(flags, "--tag="+name, contextDir)
	if err := b.buildah(ctx, append([]string{"bud", "--pull-never", "--isolation=chroot"}, flags...)...); err != nil {
		return err
	}
	return b.buildah(ctx, "push", name, "docker-archive:"+archive+":"+name)
}

// Static writes an image that holds one static program and nothing else.
func (b *Builder) Static(ctx context.Context, program, name, archive string) error {
	dir, file := filepath.Split(program)
	dockerfile := fmt.Sprintf("FROM scratch\nCOPY %s /%s\nUSER 65532:65532\nENTRYPOINT [\"/%s\"]\n", file, file, file)
	if err := b.bud(ctx, dir, dockerfile, name); err != nil {
		return err
	}
	return b.buildah(ctx, "push", name, "docker-archive:"+archive+":"+name)
}

// bud builds from the text of a Dockerfile.
func (b *Builder) bud(ctx context.Context, contextDir, dockerfile, name string) error {
	file := filepath.Join(b.dir, "Dockerfile")
	if err := os.WriteFile(file, []byte(dockerfile), 0o644); err != nil {
		return err
	}
	return b.buildah(ctx, "bud", "--pull-never", "--isolation=chroot", "--platform=linux/"+runtime.GOARCH,
		"--file="+file, "--tag="+name, contextDir)
}

func (b *Builder) buildah(ctx context.Context, args ...string) error {
	storage := []string{"--root=" + filepath.Join(b.dir, "images"), "--runroot=" + filepath.Join(b.dir, "run")}
	cmd := exec.CommandContext(ctx, "buildah", append(storage, args...)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+b.cache) // where it keeps cache mounts
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("buildah %s: %w\n%s", args[0], err, out)
	}
	return nil
}

func run(ctx context.Context, name string, args ...string) error {
	if out, err := exec.CommandContext(ctx, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}
