package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// openGate starts the gate with the flags and the file that anybody would write,
// and waits for it.
func (w *world) openGate(ctx context.Context, o Options) error {
	log := o.Log
	if log == nil {
		w.log = w.file("gate.log")
		f, err := os.Create(w.log)
		if err != nil {
			return err
		}
		w.onClose(f.Close)
		log = f
	}
	if err := w.configure(); err != nil {
		return err
	}
	// The gate must outlive whoever interrupts us: it has to drain.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	var err error
	if w.gate, err = o.Serve(life, w.args, log); err != nil {
		end()
		return fmt.Errorf("the gate does not start: %w", err)
	}
	w.onClose(func() error { end(); return w.gate.Wait() })
	if err := w.leaveWord(o.Program); err != nil {
		return err
	}
	if err := w.started(ctx); err != nil {
		w.tail(0)
		return err
	}
	w.story.say("gate", "serves http://%s for audience %s, rechecks every %v", w.gate.Data, ourAudience, recheck)
	w.story.say("gate", "shows how it does on http://%s/", w.gate.Debug)
	if w.log != "" {
		w.story.say("gate", "logs to %s", w.log)
	}
	return nil
}

// configure writes the files that the gate reads, and the flags that name them.
func (w *world) configure() error {
	kubeconfig := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: demo
clusters: [{name: demo, cluster: {server: %q, certificate-authority: %q}}]
contexts: [{name: demo, context: {cluster: demo, user: gate}}]
users: [{name: gate}]
`, w.server.URL(), w.file("gate/ca.crt"))
	config := fmt.Sprintf("keyRefresh: {interval: %v, cooldown: %v, removalPause: %v}\n", keyInterval, keyCooldown, keyPause)
	w.args = append(w.args,
		"--audience="+ourAudience,
		"--kubeconfig="+w.file("kubeconfig"), "--token-file="+w.own.Path(),
		"--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0", "--debug-listen=127.0.0.1:0",
		// One clock needs no leeway, and lives of seconds have none to give.
		"--leeway=0s", fmt.Sprintf("--recheck=%v", recheck),
		"--drain-delay=0s", "--shutdown-grace=2s", "--log-format=console",
		"--bypass-check=off",  // there is no pod, and so no address past the gate
		"--caller-metrics=10", // more than there are callers
		"--config="+w.file("sallyport.yaml"))
	return errors.Join(
		os.WriteFile(w.file("kubeconfig"), []byte(kubeconfig), 0o600),
		os.WriteFile(w.file("sallyport.yaml"), []byte(config), 0o600))
}

// leaveWord leaves what the other commands need, for whoever tries them by hand: this
// program under its name, and the gate's flags, with the addresses that it listens on.
func (w *world) leaveWord(program string) error {
	w.program, w.flags = w.file("sallyport"), w.file("flags")
	if os.Symlink(program, w.program) != nil {
		w.program = program // Windows needs a privilege for it
	}
	var flags strings.Builder
	for _, f := range w.args {
		switch name, _, _ := strings.Cut(f, "="); name {
		case "--listen":
			f = name + "=" + w.gate.Data
		case "--admin-listen":
			f = name + "=" + w.gate.Admin
		case "--debug-listen":
			f = name + "=" + w.gate.Debug
		}
		fmt.Fprintln(&flags, f)
	}
	return os.WriteFile(w.flags, []byte(flags.String()), 0o600)
}

// started waits until the gate says that it has started.
func (w *world) started(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startup)
	defer cancel()
	for {
		code, text := w.admin(ctx, "/startupz")
		if code == http.StatusOK {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the gate has not started: %s", text)
		case <-time.After(poll):
		}
	}
}

// admin asks the gate's admin listener. Code 0 means that there is no answer,
// and text says why.
func (w *world) admin(ctx context.Context, path string) (code int, text string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.gate.Admin+path, nil)
	if err != nil {
		return 0, err.Error()
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, strings.TrimSpace(string(b))
}

// logged is how much the gate has logged so far, in bytes.
func (w *world) logged() int64 {
	info, err := os.Stat(w.log)
	if err != nil {
		return 0 // it logs elsewhere
	}
	return info.Size()
}

// tail shows what the gate logged after the first so many bytes, as its file
// goes away with all others. Of much it shows the end.
func (w *world) tail(after int64) {
	const lines = 8
	b, err := os.ReadFile(w.log)
	if err != nil || int64(len(b)) <= after {
		return
	}
	w.story.say("gate", "logged:")
	all := bytes.Split(bytes.TrimSpace(b[after:]), []byte("\n"))
	for _, l := range all[max(0, len(all)-lines):] {
		w.story.print("          " + string(l))
	}
}
