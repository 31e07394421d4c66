package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// maxFile is the largest configuration file in bytes, and what a ConfigMap can
// hold (core validation: MaxSecretSize).
const maxFile = 1 << 20

// fileOnly are the fields that no flag has.
var fileOnly = []string{"jwt", "routes", "headers", "keyRefresh"}

// fileHints explain fields that are not ours but are likely to be tried.
var fileHints = map[string]string{
	"apiVersion":         "this file has no header: take apiVersion and kind away",
	"kind":               "this file has no header: take apiVersion and kind away",
	"anonymous":          "anonymous is not supported: write the paths as routes with public: true",
	"upstreamCAFile":     "write it as caFile in the object upstream:",
	"upstreamCaFile":     "write it as caFile in the object upstream:",
	"upstreamServerName": "write it as serverName in the object upstream:",
	"config":             "a file cannot name another: write everything in one",
	"check":              "this is for the command line alone: write --check there",
}

// readFile reads a regular file of at most maxFile bytes.
func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// One byte more shows that there is more.
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}

// readFile reports whether the file could be read as a whole, whatever is wrong
// with what it says.
func (l *loader) readFile(name string, read func(string) ([]byte, error)) bool {
	if name == "" {
		l.fail("--config", "this is empty: write the name of a file, or take it away")
		return false
	}
	data, err := read(name)
	if err != nil {
		l.fail("--config", "%s cannot be read (%v): write the name of a file that can", name, cause(err))
		return false
	}
	if len(data) > maxFile {
		l.fail("--config", "%s is larger than 1 MiB: write a smaller file", name)
		return false
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	switch err := decoder.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return true // empty, or comments alone
	case err != nil:
		l.syntax(name, err)
		return false
	}
	single := true
	if err := decoder.Decode(new(yaml.Node)); err == nil {
		l.fail(name, "there is more than one document: write everything in one, without ---")
		single = false
	} else if !errors.Is(err, io.EOF) {
		l.syntax(name, err)
		return false
	}
	top := node{Node: doc.Content[0], l: l, file: name}
	if top.Kind == yaml.ScalarNode && top.ShortTag() == "!!null" {
		return single
	}
	top.object(l.fields(), fileHints)
	return single && top.Kind == yaml.MappingNode
}

// syntax puts the line that the parser names where all other problems have it.
func (l *loader) syntax(name string, err error) {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	var line int
	if n, _ := fmt.Sscanf(text, "line %d:", &line); n == 1 {
		_, text, _ = strings.Cut(text, ": ")
		name = fmt.Sprintf("%s:%d", name, line)
	}
	l.fail(name, "this is not YAML (%s): check indentation, colons and quotes", text)
}

// fields are those at the top of the file.
func (l *loader) fields() map[string]field {
	fields := map[string]field{
		"upstream":   l.upstream,
		"jwt":        l.jwt,
		"routes":     l.routeList,
		"headers":    l.headers,
		"keyRefresh": l.keyRefresh,
	}
	for i := range settings {
		if s := &settings[i]; s.field != "" {
			fields[s.field] = func(n node) { n.into(s) }
		}
	}
	return fields
}

// upstream is a URL, or an object around it.
func (l *loader) upstream(n node) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() != "!!null" {
		n.into(settingOf("upstream"))
		return
	}
	flags := map[string]string{"url": "upstream", "caFile": "upstream-ca-file", "serverName": "upstream-server-name"}
	fields := map[string]field{
		// Zero is no limit, the default. An hour is more than anybody waits for
		// a first byte.
		"responseHeaderTimeout": n.period(&l.config.Upstream.ResponseHeaderTimeout, 0, time.Hour),
	}
	for name, flag := range maps.All(flags) {
		fields[name] = func(n node) { n.into(settingOf(flag)) }
	}
	if n.is(yaml.MappingNode, "a URL, like http://127.0.0.1:8080, or an object with url") {
		n.object(fields, nil)
	}
}

// period reads a duration between two bounds.
func (n node) period(to *time.Duration, least, most time.Duration) field {
	return func(n node) {
		w, ok := n.measure()
		if !ok {
			return
		}
		d, err := duration(least, most)(w.text)
		if err != nil {
			n.fail("%v", err)
			return
		}
		*to = d
	}
}

// defaultKeyRefresh is what design and documentation promise: a removed key is
// gone within two intervals, an unknown one is looked for at most every ten
// seconds.
var defaultKeyRefresh = KeyRefresh{Interval: 5 * time.Minute, Cooldown: 10 * time.Second, RemovalPause: time.Minute}

// keyRefresh can be shortened for a demo. The upper bounds leave time for a
// second fetch before keys are no longer believed, after 24 h.
func (l *loader) keyRefresh(n node) {
	k := &l.config.KeyRefresh
	n.object(map[string]field{
		"interval":     n.period(&k.Interval, time.Second, 12*time.Hour),
		"cooldown":     n.period(&k.Cooldown, 100*time.Millisecond, 5*time.Minute),
		"removalPause": n.period(&k.RemovalPause, 100*time.Millisecond, time.Hour),
	}, nil)
}
