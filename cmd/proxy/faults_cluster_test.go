package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// onCluster says of each group, by title and row, which tests in e2e/scenarios
// try the row on a real Kubernetes too; and at "" why none tries the others.
var onCluster = map[string]map[string]string{
	"The API server, modes hybrid and tokenreview": {
		"refuses connections":                "TestOwnOutage TestOwnReadiness",
		"cuts connections":                   "TestOwnOutage",
		"takes 1 s for each answer":          "TestOwnSluggish",
		"hangs":                              "TestOwnPause",
		"429 with Retry-After: 3":            "TestThrottled",
		"401 to ourselves":                   "TestOwnTokenRefused",
		"403 to ourselves":                   "TestPermission",
		"has a certificate of an unknown CA": "TestOwnAuthority",
		"":                                   "a real one cannot be made to",
	},
	"The API server, mode oidc": {
		"refuses connections": "TestOwnOutage",
		"hangs":               "TestOwnPause",
		"":                    "keys are fetched every 5 min; the connection is that of the table above",
	},
	"The API server, since our start": {
		"":                              "TestOwnBornInOutage",
		"403 to ourselves, mode hybrid": "TestOwnStartWithoutRights",
	},
	"Another issuer": {
		"unreachable since our start":                "TestPeopleOutage",
		"refuses connections":                        "TestPeopleOutage",
		"unreachable, and signs with a new key":      "TestPeopleOutage",
		"hangs":                                      "TestPeopleOutage",
		"replaces its key and withdraws the old one": "TestPeopleKeys",
		"": "the same bytes wherever they come from",
	},
	"Clocks": {"": "all containers have their node's clock"},
	"Our own token's file": {
		"missing at our start":           "the kubelet starts no container before it has written the file",
		"deleted":                        "TestOwnTokenFile",
		"empty":                          "TestOwnTokenFile",
		"torn":                           "TestOwnTokenFile",
		"torn within the signature":      "TestOwnTokenFile",
		"not a JWT":                      "TestOwnTokenFile",
		"1 MB long":                      "TestOwnTokenFile",
		"unreadable (a folder)":          "TestOwnTokenFile",
		"unreadable (links in a circle)": "TestOwnTokenFile",
		"a pipe that nobody writes to":   "TestOwnTokenFile",
		"late: issued 55 min ago, good for 5 more": "TestOwnTokenFile",
		"expired: the kubelet is stuck":            "TestOwnTokenExpired",
		"expired for longer than `--max-stale`":    "TestOwnTokenExpired",
	},
	"The app": {
		"refuses connections":                "TestQuiet",
		"answers after 1 s":                  "TestDeletion",
		"cuts the connection":                "TestQuiet",
		"answers what is not HTTP":           "TestQuiet",
		"resets in the middle of its answer": "TestQuiet",
		"refuses an upgrade":                 "TestSockets",
		"switches protocols unasked":         "TestQuiet",
		"":                                   "the same bytes over the same loopback",
	},
	"Our own process": {
		"nobody reads standard error":       "TestOwnUnreadLog",
		"standard error is closed":          "the runtime keeps it open as long as the container lives",
		"the root file system is read-only": "TestOwnConfined TestOwnRotation",
		"no file descriptor is left":        "TestOwnDescriptors",
		"gets no CPU for 5 s":               "TestOwnFrozen",
	},
}

// alsoIn says where else than here the row of a group is tried.
func alsoIn(group, row string) string {
	text, ok := onCluster[group][row]
	if !ok {
		text = onCluster[group][""]
	}
	if !strings.HasPrefix(text, "Test") {
		return text
	}
	return "`" + strings.Join(strings.Fields(text), "` `") + "`"
}

// TestFaultsOnACluster holds onCluster against the rows and against the tests
// that there are.
func TestFaultsOnACluster(t *testing.T) {
	var titles []string
	for _, g := range groups() {
		titles = append(titles, g.title)
		var names []string
		for _, f := range g.rows {
			names = append(names, f.name)
			if alsoIn(g.title, f.name) == "" {
				t.Errorf("%s: %s: nothing is said", g.title, f.name)
			}
		}
		for row := range onCluster[g.title] {
			if row != "" && !slices.Contains(names, row) {
				t.Errorf("%s: there is no row %q", g.title, row)
			}
		}
	}
	there := scenarios(t)
	for title, rows := range onCluster {
		if !slices.Contains(titles, title) {
			t.Errorf("there is no table %q", title)
		}
		for row, text := range rows {
			if !strings.HasPrefix(text, "Test") {
				continue
			}
			for _, name := range strings.Fields(text) {
				if !there[name] {
					t.Errorf("%s: %s: e2e/scenarios has no %s", title, row, name)
				}
			}
		}
	}
}

// scenarios returns the names of the tests in e2e/scenarios. They are in no build
// of this module, so it looks in the sources.
func scenarios(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob("../../e2e/scenarios/*_test.go")
	must(t, err)
	names := map[string]bool{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		must(t, err)
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(\w+ \*testing\.T\)`).FindAllSubmatch(text, -1) {
			names[string(m[1])] = true
		}
	}
	return names
}
