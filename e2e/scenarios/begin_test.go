package scenarios

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"sallyport/e2e/cluster"
	"sallyport/e2e/image"
)

// The images, by the names that pods know them by.
const (
	gateImage   = "docker.io/library/sallyport:e2e"
	callerImage = "docker.io/library/caller:e2e"
)

// world is what all scenarios share.
var world *shared

type shared struct {
	client  *kubernetes.Clientset
	cluster *cluster.Cluster
}

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

// begin builds the images while a cluster starts, and brings them there.
func begin(ctx context.Context, dir string) (*shared, error) {
	began := time.Now()
	type built struct {
		archives []string
		err      error
	}
	images := make(chan built, 1)
	go func() {
		archives, err := buildImages(ctx, dir)
		images <- built{archives, err}
	}()
	c, err := cluster.Start(ctx, dir, filepath.Join("..", "bin"))
	if err != nil {
		return nil, err
	}
	step("cluster", began)
	b := <-images
	if b.err != nil {
		return nil, b.err
	}
	for _, archive := range b.archives {
		if err := c.Import(ctx, archive); err != nil {
			return nil, err
		}
	}
	step("cluster with images", began)
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		return nil, err
	}
	config.QPS = -1 // nobody else is there to be considerate of
	client, err := kubernetes.NewForConfig(config)
	return &shared{client: client, cluster: c}, err
}

// buildImages returns the archives of all images: the product's from its
// Dockerfile, and those of the tests.
func buildImages(ctx context.Context, dir string) ([]string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	b, err := image.New(ctx, filepath.Join(dir, "buildah"), filepath.Join(cache, "sallyport-e2e"))
	if err != nil {
		return nil, err
	}
	archive := func(name string) string { return filepath.Join(dir, name+".tar") }
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		return nil, err
	}
	err = b.Build(ctx, root, filepath.Join(root, "Dockerfile"), gateImage, archive("gate"), "VERSION=e2e")
	if err != nil {
		return nil, err
	}
	bin := filepath.Join(root, "e2e", "bin")
	if err := b.Static(ctx, filepath.Join(bin, "caller"), callerImage, archive("caller")); err != nil {
		return nil, err
	}
	err = b.Static(ctx, filepath.Join(bin, "pause"), cluster.PauseImage, archive("pause"))
	return []string{archive("gate"), archive("caller"), archive("pause")}, err
}
