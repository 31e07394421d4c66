package scenarios

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"sallyport/e2e/cluster"
	"sallyport/e2e/image"
)

// together is how many tests may run at once on a user's cluster. They wait more
// than they work, so it goes beyond two cores.
const together = 8

// prepare builds all programs, and fetches the modules that the image is built
// of.
func prepare(ctx context.Context) error {
	fmt.Println("building Kubernetes, which takes minutes the first time")
	module, err := filepath.Abs("..")
	if err != nil {
		return err
	}
	return cluster.Programs(ctx, module)
}

// runInside does in a box what the box is for.
func runInside(ctx context.Context, m *testing.M) (int, error) {
	role, dir, images := os.Getenv(roleVariable), os.Getenv(folderVariable), os.Getenv(imagesVariable)
	if role == builder {
		return 0, buildImages(ctx, dir)
	}
	began := time.Now()
	c, err := cluster.Start(ctx, dir, filepath.Join("..", "bin"))
	if err != nil {
		return 1, fmt.Errorf("the cluster did not come up: %w", err)
	}
	for _, name := range imageNames {
		if err := c.Import(ctx, archive(images, name)); err != nil {
			return 1, err
		}
	}
	tell("cluster", began)
	logs := filepath.Join(dir, cluster.Logs)
	if role == lender {
		return lend(ctx, c, logs)
	}
	if world, err = newWorld(c.Kubeconfig(), logs); err != nil {
		return 1, err
	}
	world.cluster = c
	return world.run(ctx, m)
}

// lend runs the tests as somebody would who has a cluster: in a process that
// gets the kubeconfig and the images' names.
func lend(ctx context.Context, c *cluster.Cluster, logs string) (int, error) {
	args := append(append([]string{}, os.Args[1:]...), "-test.parallel="+strconv.Itoa(together),
		"-kubeconfig="+c.Kubeconfig(), "-image="+*gateImage, "-tools-image="+*toolsImage, "-logs="+logs)
	cmd := exec.CommandContext(ctx, "/proc/self/exe", args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	err := cmd.Run()
	if cmd.ProcessState == nil {
		return 1, err
	}
	return cmd.ProcessState.ExitCode(), nil
}

// The images' archives, by name.
var imageNames = []string{"gate", "tools", "pause"}

func archive(dir, name string) string { return filepath.Join(dir, name+".tar") }

// buildImages writes the archives of all images to dir: the product's from its
// Dockerfile, the tests' own from theirs.
func buildImages(ctx context.Context, dir string) error {
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	b, err := image.New(ctx, filepath.Join(dir, "buildah"), filepath.Join(cache, "sallyport-e2e"))
	if err != nil {
		return err
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		return err
	}
	e2e := filepath.Join(root, "e2e")
	bin := filepath.Join(e2e, "bin")
	if err := b.Build(ctx, root, filepath.Join(root, "Dockerfile"), *gateImage, archive(dir, "gate"), "VERSION=e2e"); err != nil {
		return err
	}
	if err := b.Build(ctx, bin, filepath.Join(e2e, "Dockerfile"), *toolsImage, archive(dir, "tools")); err != nil {
		return err
	}
	return b.Static(ctx, filepath.Join(bin, "pause"), cluster.PauseImage, archive(dir, "pause"))
}
