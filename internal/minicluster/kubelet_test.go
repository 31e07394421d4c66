package minicluster

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A rig is a kubelet in a bubble, and when it rotated.
type rig struct {
	*Cluster
	*Kubelet
	begin   time.Time
	at      []time.Duration
	old     []string
	current string
}

// run gives a bubble a kubelet that runs, and ends it after f.
func run(t *testing.T, m Mount, f func(*rig)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{Cluster: start(t, Options{}), begin: time.Now()}
		m.Dir = filepath.Join(dir, "tokens")
		m.OnRotate = func(old, fresh string) {
			r.at, r.old, r.current = append(r.at, time.Since(r.begin)), append(r.old, old), fresh
		}
		var err error
		if r.Kubelet, err = r.Mount(m); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- r.Run(ctx) }()
		f(r)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// kubernetes-tokens 2.1 and 2.2: when a token of each lifetime is replaced on
// the disk.
func TestKubeletTimeline(t *testing.T) {
	for _, tt := range []struct{ ttl, from, to time.Duration }{
		{seconds(600), seconds(471), seconds(570)},
		{seconds(3600), seconds(2871), seconds(2980)},
		{seconds(3607), seconds(2876), seconds(2986)},
		{48 * time.Hour, 24*time.Hour - seconds(9), 24*time.Hour + seconds(91)},
		{seconds(10), 7850 * time.Millisecond, 9500 * time.Millisecond},
	} {
		req := web
		req.TTL = tt.ttl
		run(t, Mount{Request: req}, func(r *rig) {
			time.Sleep(tt.to)
			synctest.Wait()
			if len(r.at) != 2 || r.at[1] < tt.from {
				t.Errorf("TTL %s: written at %v, want again from %s to %s", tt.ttl, r.at, tt.from, tt.to)
			}
			if r.old[0] != "" || r.volume.read("token") != r.current {
				t.Errorf("TTL %s: the file is not the current token", tt.ttl)
			}
		})
	}
}

// kubernetes-tokens 2.1: the old token stays while there is no other, and the
// volume after that.
func TestKubeletWithoutTokens(t *testing.T) {
	req := web
	req.TTL = seconds(600)
	run(t, Mount{Request: req}, func(r *rig) {
		before := r.current
		r.Fail(Tokens, Fault{Hang: true})
		time.Sleep(seconds(590))
		if r.sync(false) != nil {
			t.Error("an error while the old token is good")
		}
		if r.RotateNow() == nil {
			t.Error("no error though a new one was asked for")
		}
		time.Sleep(seconds(100))
		if r.sync(false) == nil {
			t.Error("no error though the old token has expired")
		}
		if r.volume.read("token") != before {
			t.Error("the old token is gone")
		}
		r.Heal()
		time.Sleep(seconds(91))
		synctest.Wait()
		if r.current == before || r.volume.read("token") != r.current {
			t.Error("no new token after the API server is back")
		}
	})
}

func TestKubeletFirstToken(t *testing.T) {
	c := start(t, Options{})
	c.Fail(Tokens, Fault{Status: 500})
	if _, err := c.Mount(Mount{Dir: t.TempDir(), Request: web}); err == nil {
		t.Error("mounted without a token")
	}
}

// A pod that is gone gets no token, however long it runs on.
func TestKubeletDeletedPod(t *testing.T) {
	run(t, Mount{Request: web}, func(r *rig) {
		r.DeletePod("shop", "web-1", 0)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if len(r.at) != 1 {
			t.Errorf("rotated at %v", r.at)
		}
	})
}

func TestKubeletStuck(t *testing.T) {
	run(t, Mount{Request: web}, func(r *rig) {
		r.Stuck.Store(true)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if len(r.at) != 1 {
			t.Errorf("stuck, and rotated at %v", r.at)
		}
		before := r.current
		if err := r.RotateNow(); err != nil || r.current == before || r.old[1] != before {
			t.Errorf("RotateNow: %v", err)
		}
		r.Stuck.Store(false)
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(r.at) != 3 {
			t.Errorf("unstuck, and rotated at %v", r.at)
		}
	})
}

// The other files change without the token.
func TestKubeletFiles(t *testing.T) {
	var ca atomic.Value
	ca.Store("one")
	m := Mount{Request: web, File: "api", Files: func() map[string][]byte { return map[string][]byte{"ca.crt": []byte(ca.Load().(string))} }}
	run(t, m, func(r *rig) {
		if r.volume.read("ca.crt") != "one" || r.volume.read("api") != r.current || r.Path() != r.volume.Path("api") {
			t.Error("the first files are not there")
		}
		ca.Store("two")
		time.Sleep(seconds(91))
		synctest.Wait()
		if r.volume.read("ca.crt") != "two" || len(r.at) != 1 {
			t.Errorf("ca.crt = %q, rotated at %v", r.volume.read("ca.crt"), r.at)
		}
	})
}
