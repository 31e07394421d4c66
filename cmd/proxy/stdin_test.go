package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadToken(t *testing.T) {
	name := filepath.Join(t.TempDir(), "token")
	must(t, os.WriteFile(name, []byte("a.b.c"), 0o600))
	// The null device is one of characters, like a terminal.
	for name, want := range map[string]string{name: "a.b.c", os.DevNull: ""} {
		f, err := os.Open(name)
		must(t, err)
		defer f.Close()
		var said bytes.Buffer
		text, err := readToken(streams{in: f, err: &said})
		if told := strings.Contains(said.String(), "Ctrl-D"); text != want || err != nil || told != (want == "") {
			t.Errorf("%s: %q, %v, and it says %q", name, text, err, &said)
		}
	}
}
