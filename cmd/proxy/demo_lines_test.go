package main

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestDemoLeadsOn: each line that the demo offers works as it stands, in a shell. Some
// want curl.
func TestDemoLeadsOn(t *testing.T) {
	if testing.Short() {
		t.Skip("the scenes take 20 s")
	}
	t.Parallel()
	lines := offered(t)
	// What each says where it does what it is there for.
	wants := map[string]string{
		"who the app sees":  "X-Remote-User: system:serviceaccount:shop:cart",
		"without a token":   "HTTP/1.1 401 Unauthorized",
		"see how it does":   "<h1 id=\"state\">ready</h1>",
		"is all well":       "it is ready\n\n0 failed, 0 to be warned of",
		"why a token fails": "Refused: 401, with the reason audience.",
		"what a token is":   "bound to a pod",
		"log each request":  "debug",
		"its log":           "INFO\trequest",
		"its metrics":       "sallyport_build_info",
		"is it ready":       "ok",
		"its flags":         "--audience=orders.shop.svc",
	}
	for _, l := range lines {
		command := l.command
		switch l.label {
		case "see how it does":
			command = "curl " + command
		case "its log":
			command = strings.Replace(command, "tail -f", "cat", 1)
		}
		t.Logf("%s: %s", l.label, command)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // explain's own bound
		out, err := exec.CommandContext(ctx, "sh", "-c", command).CombinedOutput()
		cancel()
		if refused := l.label == "why a token fails"; (err != nil) != refused || wants[l.label] == "" || !strings.Contains(string(out), wants[l.label]) {
			t.Errorf("%v, want %q in\n%s", err, wants[l.label], out)
		}
		if strings.Contains(string(out), "eyJ") {
			t.Errorf("a token is in\n%s", out)
		}
	}
	if len(lines) != len(wants) {
		t.Errorf("%d lines, want %d", len(lines), len(wants))
	}
}

// An offer is a line of the demo's end.
type offer struct{ label, command string }

// offered plays the demo, which stays up until t ends, and returns what it offers.
func offered(t *testing.T) (all []offer) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, buildProgram(t), "demo", "--duration=2m")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 15 * time.Second // its own grace is 2 s
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		stop()
		_ = cmd.Wait() // it was interrupted
	})
	var story []string
	for s := bufio.NewScanner(out); s.Scan(); {
		story = append(story, s.Text())
		begin := slices.IndexFunc(story, func(l string) bool { return strings.HasPrefix(l, "Try it ") })
		if begin < 0 || s.Text() != "" {
			continue
		}
		for _, l := range story[begin+1 : len(story)-1] {
			label, command, _ := strings.Cut(strings.TrimSpace(l), "  ")
			all = append(all, offer{label, strings.TrimSpace(command)})
		}
		go func() {
			for s.Scan() { // else it would wait for us
			}
		}()
		return all
	}
	t.Fatalf("it offers nothing:\n%s", strings.Join(story, "\n"))
	return nil
}
