// Package internal has no code: its tests hold the walls between the rooms.
package internal

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "sallyport"

// A pkg is what `go list` says of a package, without its tests.
type pkg struct {
	ImportPath string
	Doc        string
	GoFiles    []string
	Imports    []string
	Deps       []string // all that it needs, however far away
	Standard   bool
}

// list returns every package of the module, by its path below the module, and
// everything that they need, by import path.
func list(t *testing.T) (ours, all map[string]pkg) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps",
		"-json=ImportPath,Doc,GoFiles,Imports,Deps,Standard", "./...")
	cmd.Dir = ".."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	ours, all = map[string]pkg{}, map[string]pkg{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return ours, all
		} else if err != nil {
			t.Fatal(err)
		}
		all[p.ImportPath] = p
		if below, ok := strings.CutPrefix(p.ImportPath, module+"/"); ok {
			ours[below] = p
		}
	}
}

// under reports whether importPath is prefix or below it.
func under(importPath, prefix string) bool {
	return importPath == prefix || strings.HasPrefix(importPath, prefix+"/")
}

// rooms says which other rooms each room may import. A room that is missing here
// has to be put here, with its reason.
var rooms = []struct {
	room string
	may  []string
	why  string
}{
	{"internal/apiserver", []string{"internal/authn"}, "it knows our own credential and nobody else's"},
	{"internal/authn", nil, "every room imports it: it has the words, and nothing behind them"},
	{"internal/authn/jwt", []string{"internal/authn"}, "it takes tokens apart, and decides nothing"},
	{"internal/authn/oidc", []string{"internal/authn", "internal/authn/jwt"}, "it must not know that it is cached, nor what the API server says"},
	{"internal/authn/tokenreview", []string{"internal/authn"}, "two who must agree must not know each other: its word is worth something only if it is its own"},
	{"internal/bypass", nil, "it dials addresses, and says who answered"},
	{"internal/cache", []string{"internal/authn"}, "it decorates any Authenticator"},
	{"internal/callers", []string{"internal/authn"}, "it counts who calls, whoever proved that"},
	{"internal/certfile", []string{"internal/filewatch"}, "it follows files, whoever they are for"},
	{"internal/config", nil, "what the operator asks for must be known before anything is started"},
	{"internal/connlimit", []string{"internal/socket"}, "it counts connections and requests, whoever calls and for what"},
	{"internal/demo", []string{"internal/authn/jwt", "internal/minicluster"}, "it plays a cluster and its callers; the gate that it shows is the real one, handed to it"},
	{"internal/doctor", []string{"internal/authn", "internal/authn/jwt", "internal/authn/oidc", "internal/span", "internal/tokenfile"}, "it says what findings mean; who looks is the command"},
	{"internal/explain", []string{"internal/authn"}, "it tells what the checks of serving came to, and makes none"},
	{"internal/fairqueue", nil, "it hands out turns, whatever they are for"},
	{"internal/filewatch", nil, "it reads files, whatever is in them"},
	{"internal/filewatch/volumetest", nil, "it stands in for the kubelet, in tests"},
	{"internal/garbage", nil, "it looks at how much was left, and not at what"},
	{"internal/health", nil, "it is told what is the matter, and asks nobody"},
	{"internal/inflight", nil, "it hands out places, whoever they are for"},
	{"internal/inspect", []string{"internal/authn", "internal/authn/jwt", "internal/filewatch", "internal/span"}, "it says what a token claims, and decides nothing"},
	{"internal/loopback", []string{"internal/socket"}, "it carries requests, whoever sent them"},
	{"internal/memlimit", nil, "it reads what the kernel says"},
	{"internal/minicluster", []string{"internal/authn/jwt"}, "a stand-in that shared code with what is tested on it would share its mistakes"},
	{"internal/pages", nil, "it lets go of what is mapped, whatever it was for"},
	{"internal/processors", nil, "it looks at how busy this process is, and at nothing else"},
	{"internal/proxy", []string{"internal/authn", "internal/inflight", "internal/loopback", "internal/traceparent"}, "HTTP and who is asking are two things; its options are its own, and not the configuration's"},
	{"internal/socket", nil, "it reads and writes bytes, whatever they say"},
	{"internal/span", nil, "it says durations in words"},
	{"internal/status", nil, "it is told what there is to show, and asks nobody"},
	{"internal/telemetry", []string{"internal/authn"}, "it counts reasons, and never sees a token"},
	{"internal/tokenfile", []string{"internal/authn", "internal/authn/jwt", "internal/filewatch"}, "it follows our own token, and judges nobody's"},
	{"internal/traceparent", nil, "it reads one header, whoever sent it"},
	{"internal/tracing", []string{"internal/authn", "internal/traceparent"}, "it is told what became of a request, and never sees its token"},
	{"internal/tracing/tracingtest", nil, "a collector that shared code with what is tested on it would share its mistakes"},
}

func TestRooms(t *testing.T) {
	ours, _ := list(t)
	listed := map[string]bool{}
	for _, r := range rooms {
		listed[r.room] = true
		p, ok := ours[r.room]
		if !ok {
			t.Errorf("there is no %s: take it off the list", r.room)
		}
		for _, i := range p.Imports {
			other, own := strings.CutPrefix(i, module+"/")
			if own && !slices.Contains(r.may, other) {
				t.Errorf("%s imports %s, and must not: %s", r.room, other, r.why)
			}
		}
	}
	for name, p := range ours {
		if !listed[name] && !under(name, "cmd") && len(p.GoFiles) > 0 {
			t.Errorf("%s is not on the list of rooms: put it there, with what it may import and why", name)
		}
	}
}

// The demo's cluster must not be on serve's path: it issues tokens to anybody.
func TestOnlyDemoHasMinicluster(t *testing.T) {
	ours, _ := list(t)
	for name, p := range ours {
		if name != "internal/demo" && slices.Contains(p.Imports, module+"/internal/minicluster") {
			t.Errorf("%s imports internal/minicluster", name)
		}
	}
}

// forbidden says what a room, or all of the program, must not need, however far
// away.
var forbidden = []struct{ room, path, why string }{
	{"cmd/proxy", "text/template", "a template calls methods by name, so the linker must keep every method of every type: 3.6 MB, 2 MiB of memory"},
	{"cmd/proxy", "html/template", "as text/template"},
	{"cmd/proxy", "github.com/spf13/cobra", "it imports text/template"},
	{"cmd/proxy", "k8s.io/client-go/kubernetes", "the typed client registers every API group: 16 MB, 10 MiB of memory; rest.RESTClient and a scheme of one group will do"},
	{"cmd/proxy", "k8s.io/client-go/informers", "it brings the typed client; and a sidecar in each pod must not watch the cluster"},
	{"cmd/proxy", "k8s.io/apiserver", "it brings CEL, gRPC, etcd's client and half the API server"},
	{"cmd/proxy", "github.com/google/cel-go", "5.4 MB, 3.4 MiB of memory"},
	{"cmd/proxy", "google.golang.org/grpc", "6 MB; gRPC passes through a proxy without it"},
	{"cmd/proxy", "go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp", "it brings gRPC"},
	{"cmd/proxy", "testing", "it registers flags and keeps its code"},

	{"internal/authn/jwt", "github.com/go-jose/go-jose", "it takes tokens apart strictly, which go-jose does not; and it must not verify"},
	{"internal/authn/jwt", "go.uber.org/zap", "what it would log is what a caller wrote"},
	{"internal/authn/oidc", "k8s.io", "it proves tokens by their keys; who fetched those, and from where, is not its business"},
	{"internal/authn/tokenreview", "github.com/coreos/go-oidc", "it asks, and proves nothing"},
	{"internal/authn/tokenreview", "github.com/go-jose/go-jose", "as go-oidc"},
	{"internal/cache", "k8s.io", "a cache's tests take milliseconds"},
	{"internal/cache", "go.uber.org/zap", "it is told what was decided, and tells it on; a line for each would be a line a request"},
	{"internal/config", "k8s.io", "a configuration's tests take milliseconds"},
	{"internal/config", "go.uber.org/zap", "it reports what is wrong as errors, all at once"},
	{"internal/proxy", "k8s.io", "HTTP knows nothing of clusters"},
	{"internal/proxy", "github.com/coreos/go-oidc", "HTTP knows nothing of keys"},
	{"internal/proxy", "github.com/go-jose/go-jose", "as go-oidc"},
	{"internal/inspect", "github.com/coreos/go-oidc", "who checks a signature fetches keys; it only reads"},
	{"internal/loopback", "go.uber.org/zap", "it has errors to return, and nothing to tell"},
	{"internal/minicluster", "k8s.io/client-go", "it speaks the protocol itself, so that client-go is tested against it"},
	{"internal/minicluster", "github.com/coreos/go-oidc", "as client-go"},
	{"internal/telemetry", "k8s.io/client-go", "klog alone is its business"},
	{"internal/tokenfile", "k8s.io", "client-go's own token file is read lazily, and falls back without a word"},
	{"internal/health", "k8s.io", "it is told, and asks nobody"},
	{"internal/proxy", "go.opentelemetry.io", "HTTP tells who follows a request, and does not know how"},
	{"internal/tracing", "go.uber.org/zap", "it tells what became of spans, and whoever wired it says so"},
}

func TestForbidden(t *testing.T) {
	ours, all := list(t)
	for _, f := range forbidden {
		p, ok := ours[f.room]
		if !ok {
			t.Errorf("there is no %s", f.room)
		}
		for _, dep := range p.Deps {
			if under(dep, f.path) {
				t.Errorf("%s needs %s, and must not: %s\n%s", f.room, dep, f.why, chain(p, dep, all))
				break // one is enough to see the way
			}
		}
	}
}

// chain says by which way a package came in.
func chain(from pkg, to string, all map[string]pkg) string {
	for _, i := range from.Imports {
		if i == to {
			return "    " + from.ImportPath + " -> " + to
		}
		if p := all[i]; slices.Contains(p.Deps, to) {
			return "    " + from.ImportPath + " ->\n" + chain(p, to, all)
		}
	}
	return ""
}

// Who has no library cannot be surprised by one.
func TestStandardLibraryAlone(t *testing.T) {
	const socket = "sallyport/internal/socket" // is on the list
	ours, all := list(t)
	for _, room := range []string{"internal/authn", "internal/connlimit", "internal/fairqueue", "internal/filewatch/volumetest", "internal/garbage", "internal/inflight", "internal/memlimit", "internal/pages", "internal/processors", "internal/socket", "internal/span", "internal/status", "internal/traceparent"} {
		for _, dep := range ours[room].Deps {
			if p := all[dep]; !p.Standard && dep != socket {
				t.Errorf("%s needs %s: it is of the standard library alone", room, dep)
			}
		}
	}
	for _, i := range ours["internal/loopback"].Imports {
		if !all[i].Standard && i != socket && i != "golang.org/x/net/http/httpguts" { // net/http has it inside
			t.Errorf("internal/loopback imports %s: what carries every request is net/http's alone", i)
		}
	}
	for _, i := range ours["internal/authn"].Imports {
		if i == "os" || i == "net" || i == "io" || under(i, "os") {
			t.Errorf("internal/authn imports %s: it does no I/O", i)
		}
	}
}

func TestDocComments(t *testing.T) {
	ours, _ := list(t)
	for name, p := range ours {
		if len(p.GoFiles) == 0 {
			continue // tests alone
		}
		want := "Package " + path.Base(name) + " "
		if under(name, "cmd") {
			want = "Command sallyport "
		}
		if !strings.HasPrefix(p.Doc, want) {
			t.Errorf("%s has the doc comment %q, want %q...", name, p.Doc, want)
		}
	}
}

// A clone must build and test by itself, wherever it lies.
func TestNothingOutside(t *testing.T) {
	outside := "../" + "shared" // in two, as this file is read too
	err := filepath.WalkDir("..", func(name string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == ".git" || d.Name() == "bin" {
				return filepath.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			t.Errorf("%s is not a regular file", name)
			return nil
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if bytes.Contains(data, []byte(outside)) {
			t.Errorf("%s names %s", name, outside)
		}
		if path.Base(name) == "go.mod" && bytes.Contains(data, []byte("=> ../../")) {
			t.Errorf("%s replaces a module by a folder outside", name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
