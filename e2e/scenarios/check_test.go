package scenarios

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// check keeps the logs of the gate's pods, its metrics and what the API server
// has of the pods, and looks for secrets in them. Each gate is checked before it
// ends: this is what no scenario may cause.
func (g *gate) check(ctx context.Context) error {
	g.learnOwn()
	pods, err := world.client.CoreV1().Pods(g.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for i := range pods.Items {
		err = errors.Join(err, checkPod(ctx, &pods.Items[i]))
	}
	if g.pod.Name == "" {
		return err
	}
	for _, page := range []string{"metrics", "startupz", "livez", "readyz"} {
		data, e := world.ask(ctx, "GET", &g.pod, 9901, page, nil)
		if e != nil {
			return err // a scenario may have ended the pod
		}
		err = errors.Join(err, examine(g.namespace+"."+g.pod.Name+"."+page, data))
	}
	return err
}

// learnOwn makes the gate's own token known, where the node's disk is ours.
func (g *gate) learnOwn() {
	if world.cluster == nil || g.pod.Name == "" {
		return
	}
	data, err := os.ReadFile(filepath.Join(world.cluster.Volume(g.pod.UID, "sallyport-token"), "token"))
	if err == nil { // the pod may be gone
		learn(string(data))
	}
}

// checkPod looks at the logs of all containers, those before a restart too, and
// at all that kubectl describe tells of the pod: arguments, environment and the
// messages with which containers ended.
func checkPod(ctx context.Context, p *corev1.Pod) error {
	name := p.Namespace + "." + p.Name
	object, err := json.Marshal(p)
	if err == nil {
		err = clean(name, object)
	}
	for _, s := range append(p.Status.InitContainerStatuses, p.Status.ContainerStatuses...) {
		for _, former := range []bool{false, true} {
			log, e := world.client.CoreV1().Pods(p.Namespace).
				GetLogs(p.Name, &corev1.PodLogOptions{Container: s.Name, Previous: former}).DoRaw(ctx)
			if e != nil {
				continue // it has not started, or has been removed
			}
			file := name + "." + s.Name
			if former {
				file += ".former"
			}
			err = errors.Join(err, examine(file+".log", log))
		}
	}
	return err
}

// examine keeps a text, and looks for secrets in it.
func examine(name string, data []byte) error {
	return errors.Join(world.keep(name, data), clean(name, data))
}

// checkEvents looks at the cluster's events.
func (w *shared) checkEvents(ctx context.Context) error {
	events, err := w.client.CoreV1().Events("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	var text strings.Builder
	for _, e := range events.Items {
		fmt.Fprintf(&text, "%s %s/%s %s: %s\n", e.LastTimestamp.Time, e.InvolvedObject.Namespace, e.InvolvedObject.Name, e.Reason, e.Message)
	}
	return examine("events.txt", []byte(text.String()))
}

// checkLogs looks once more at all that was kept of the run, now that all tokens
// are known. On a cluster of our own the logs of all pods, of the node and of the
// control plane are there too, with its audit.
func (w *shared) checkLogs() (err error) {
	files, size := 0, 0
	walk := filepath.WalkDir(w.logs, func(path string, d fs.DirEntry, e error) error {
		if e != nil || !d.Type().IsRegular() {
			return e
		}
		data, e := os.ReadFile(path)
		if errors.Is(e, fs.ErrNotExist) {
			return nil // of a pod that is being removed
		}
		files, size = files+1, size+len(data)
		err = errors.Join(err, e, unknown(path, data))
		return nil
	})
	known.Lock()
	defer known.Unlock()
	fmt.Printf("looked for %d pieces of tokens in %d files, %.1f MB\n", len(known.set), files, float64(size)/1e6)
	return errors.Join(walk, err)
}
