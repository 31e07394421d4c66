package scenarios

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A word that could be a part of a token: base64url, and longer than the ids of
// Kubernetes, which have no capital letters besides.
var word = regexp.MustCompile(`[A-Za-z0-9_-]{24,}`)

// Keys are told by their ids, which Kubernetes makes from the public half: a
// SHA-256 of 43 characters.
var keyID = regexp.MustCompile(`("key_id":"|key \\")[A-Za-z0-9_-]{43}\\?"`)

var (
	lower = regexp.MustCompile(`[a-z]`)
	upper = regexp.MustCompile(`[A-Z]`)
	digit = regexp.MustCompile(`[0-9]`)
)

// secretsIn returns what looks like a part of a token or of its signature, cut
// short: this goes to a log too.
func secretsIn(text string) (found []string) {
	for _, w := range word.FindAllString(keyID.ReplaceAllString(text, ""), -1) {
		// A JWT's header and payload begin so: {" in base64url.
		if strings.Contains(w, "eyJ") || lower.MatchString(w) && upper.MatchString(w) && digit.MatchString(w) {
			found = append(found, w[:12]+"...")
		}
	}
	return found
}

// check keeps the gate's log and metrics, and looks for secrets in them. Each
// gate is checked before it ends: this is what no scenario may cause.
func (g *gate) check(ctx context.Context) error {
	pods, err := world.client.CoreV1().Pods(g.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for i := range pods.Items {
		p := &pods.Items[i]
		for _, c := range append(p.Spec.InitContainers, p.Spec.Containers...) {
			log, e := containerLog(ctx, p, c.Name)
			if e != nil {
				continue // it has not started, or has been removed
			}
			name := fmt.Sprintf("%s.%s.%s.log", g.namespace, p.Name, c.Name)
			err = errors.Join(err, world.keep(name, log), clean(name, log))
		}
	}
	if g.pod.Name == "" {
		return err
	}
	page, e := g.metrics(ctx)
	if e != nil {
		return err // a scenario may have ended the pod
	}
	name := fmt.Sprintf("%s.%s.metrics", g.namespace, g.pod.Name)
	return errors.Join(err, world.keep(name, page), clean(name, page))
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
	return errors.Join(w.keep("events.txt", []byte(text.String())), clean("events", []byte(text.String())))
}

func clean(name string, data []byte) error {
	if found := secretsIn(string(data)); len(found) > 0 {
		return fmt.Errorf("%s: %d words that may be parts of tokens, such as %s", name, len(found), found[0])
	}
	return nil
}
