package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/internal/demo"
)

// table is a row of the demo's summary: number, scene, what else, verdict.
var table = regexp.MustCompile(`(?m)^ ?(\d+)  (\S.*?)  .*\d\.\ds +(ok|WRONG)$`)

// verdicts reads the summary.
func verdicts(out string) map[string]string {
	v := map[string]string{}
	for _, row := range table.FindAllStringSubmatch(out, -1) {
		v[row[2]] = row[3]
	}
	return v
}

func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("tokens need some time to expire")
	}
	t.Parallel()
	var out logBuffer
	begun := time.Now()
	code := run(t.Context(), commands, []string{"demo", "--once"}, streams{out: &out, err: &out})
	if code != exitOK {
		t.Errorf("exit code %d\n%s", code, &out)
	}
	v := verdicts(out.String())
	if len(v) != 10 {
		t.Errorf("%d scenes in the summary, want 10\n%s", len(v), &out)
	}
	for scene, verdict := range v {
		if verdict != "ok" {
			t.Errorf("%s: %s", scene, verdict)
		}
	}
	if took := time.Since(begun); took > time.Minute {
		t.Errorf("it took %v", took)
	}
	for _, never := range []string{"eyJ", "\x1b"} {
		if strings.Contains(out.String(), never) {
			t.Errorf("%q is in it:\n%s", never, &out)
		}
	}
}

// TestDemoNotices: the demo must not praise a gate that lacks something.
func TestDemoNotices(t *testing.T) {
	if testing.Short() {
		t.Skip("tokens need some time to expire")
	}
	t.Parallel()
	// It takes tokens of another service, a minute after their end, and does
	// not ask the API server whether their owners are still there.
	careless := func(ctx context.Context, args []string, log io.Writer) (*demo.Gate, error) {
		args = slices.DeleteFunc(args, func(a string) bool { return strings.HasPrefix(a, "--leeway=") })
		return serveDemo(ctx, append(args, "--leeway=60s", "--audience=payments.shop.svc", "--mode=oidc"), log)
	}
	var out logBuffer
	err := demo.Run(t.Context(), demo.Options{Out: &out, Once: true, Log: io.Discard, App: echoHandler(), Serve: careless})
	if !errors.Is(err, demo.ErrUnexpected) {
		t.Errorf("err = %v", err)
	}
	want := []string{"another audience", "expired copy", "pod deleted", "API server down"}
	v := verdicts(out.String())
	if len(v) != 10 {
		t.Errorf("%d scenes in the summary, want 10", len(v))
	}
	for scene, verdict := range v {
		if noticed := verdict == "WRONG"; noticed != slices.Contains(want, scene) {
			t.Errorf("%s: %s", scene, verdict)
		}
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

func TestDemoFlags(t *testing.T) {
	for _, tc := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--once", "--duration=1s"}, exitUsage, "write one of them"},
		{[]string{"--duration=0s"}, exitUsage, "out of bounds"},
		{[]string{"--duration=25h"}, exitUsage, "at most 24h"},
		{[]string{"--twice"}, exitUsage, "unknown flag"},
		{[]string{"now"}, exitUsage, "not a flag"},
		{[]string{"--help"}, exitOK, "--once"},
	} {
		var b bytes.Buffer
		code := run(t.Context(), commands, append([]string{"demo"}, tc.args...), streams{out: &b, err: &b})
		if code != tc.code || !strings.Contains(b.String(), tc.says) {
			t.Errorf("%q: %d %q, want %d %q", tc.args, code, &b, tc.code, tc.says)
		}
	}
}
