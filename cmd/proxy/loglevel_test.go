package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// The command and the real gate: what it shows, and what it changes.
func TestLogLevel(t *testing.T) {
	t.Parallel()
	w := start(t, "--log-level=info")
	for _, c := range []struct {
		args, out string
		code      int
	}{
		{"", "info\n", 0},
		{"debug", "debug\n", 0},
		{"", "debug\n", 0},
		{"warn", "warn\n", 0},
		{"error", "error\n", 0},
		{"trace", "", 2},
		{"", "error\n", 0},
		{"info", "info\n", 0},
	} {
		code, out, errs := call(t, commands, "log-level --debug-listen="+w.gate.debug.addr()+" "+c.args)
		if code != c.code || out != c.out || c.out != "" && w.gate.level.String()+"\n" != c.out {
			t.Errorf("%q: exit %d %q %q, and the level is %s", c.args, code, out, errs, w.gate.level)
		}
	}
	// What it is for: a line for each request, where info has one a second.
	call(t, commands, "log-level debug --debug-listen="+w.gate.debug.addr())
	token := w.token()
	for range 5 {
		w.getPath("/looked-at", token)
	}
	w.eventually("logged", func() bool { return strings.Count(w.log.String(), `"path":"/looked-at"`) == 5 })
}

func TestLogLevelAsks(t *testing.T) {
	for _, c := range []struct{ args, method, body string }{
		{"", "GET", ""},
		{"warn", "POST", "warn"},
	} {
		var got string
		for _, address := range listening(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			got = r.Method + " " + r.URL.Path + " " + string(body)
			fmt.Fprintln(w, "warn")
		}) {
			code, out, errs := call(t, commands, "log-level --debug-listen "+address+" "+c.args)
			if want := c.method + " /log-level " + c.body; code != 0 || out != "warn\n" || got != want {
				t.Errorf("%s: exit %d %q %q, asked %q, want %q", address, code, out, errs, got, want)
			}
		}
	}
}

// Whatever listens there, only a level is an answer, and nothing else is printed.
func TestLogLevelMeetsSomethingElse(t *testing.T) {
	for _, c := range []struct {
		name, args, body string
		status           int
		want             string
	}{
		{"another program", "", "not found\n", 404, "answered 404 Not Found"},
		{"a redirect", "", "info\n", 302, "answered 302 Found"},
		{"a page", "", "<html>\x1b[31m", 200, "answered something else"},
		{"nothing", "", "", 200, "answered something else"},
		{"another level", "debug", "info\n", 200, "answered something else"},
		{"without end", "", strings.Repeat("info", 1<<20), 200, "answered something else"},
	} {
		followed := false
		address := listening(t, func(w http.ResponseWriter, r *http.Request) {
			followed = followed || r.URL.Path != "/log-level"
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(c.status)
			io.WriteString(w, c.body)
		})[0]
		code, out, errs := call(t, commands, "log-level "+c.args+" --debug-listen "+address)
		if code != 1 || out != "" || !strings.Contains(errs, c.want) || strings.Contains(errs, "\x1b") || followed {
			t.Errorf("%s: exit %d %q %q, followed %v", c.name, code, out, errs, followed)
		}
	}
}
