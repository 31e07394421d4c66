package demo

import (
	"context"
	"fmt"
	"time"

	"sallyport/internal/minicluster"
)

// openVolumes mounts the two tokens that rotate, and lets the kubelet keep them
// fresh.
func (w *world) openVolumes() (err error) {
	own := minicluster.Request{Namespace: namespace, ServiceAccount: ownAccount, Pod: ownPod, TTL: ownLife}
	if w.own, err = w.mount("gate", own); err != nil {
		return err
	}
	w.caller, err = w.mount("client", ask(callerPod, callerLife, ourAudience))
	return err
}

func (w *world) mount(whose string, r minicluster.Request) (*minicluster.Kubelet, error) {
	k, err := w.cluster.Mount(minicluster.Mount{
		Dir: w.file(whose), Request: r,
		Files:    func() map[string][]byte { return map[string][]byte{"ca.crt": w.server.CAPEM()} },
		OnRotate: func(old, fresh string) { w.rotated(whose, old, fresh) },
	})
	if err != nil {
		return nil, err
	}
	// It ends with its context, and in no other way.
	w.background(func(ctx context.Context) { _ = k.Run(ctx) })
	return k, nil
}

func (w *world) rotated(whose, old, fresh string) {
	if old == "" {
		w.story.say("kubelet", "%-6s token %s (%s left), in a projected volume", whose, short(fresh), seconds(left(fresh)))
		return
	}
	w.story.say("kubelet", "%-6s token %s (%s left) -> %s (%s left)", whose,
		short(old), seconds(left(old)), short(fresh), seconds(left(fresh)))
}

// rotate replaces both tokens, whatever their age.
func (w *world) rotate() error {
	if err := w.own.RotateNow(); err != nil {
		return err
	}
	return w.caller.RotateNow()
}

// seconds is a duration as a person reads it.
func seconds(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }
