package internal

import (
	"cmp"
	"debug/elf"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// heaviest is how many packages are looked at.
const heaviest = 20

// heavy are the packages that may be among the heaviest of the program, each with
// what it is there for. A few are listed that are next to them.
var heavy = map[string]string{
	"runtime":                               "Go",
	"reflect":                               "Go",
	"time":                                  "Go",
	"slices":                                "Go: what is sorted, in all packages",
	"net":                                   "sockets",
	"net/http":                              "the server, and HTTP/2",
	"golang.org/x/net/http2":                "client-go's HTTP/2, which net/http has too",
	"golang.org/x/text/unicode/norm":        "names of hosts, by x/net",
	"vendor/golang.org/x/text/unicode/norm": "names of hosts, by net/http",
	"crypto/tls":                            "TLS",
	"crypto/x509":                           "certificates",
	"crypto/internal/fips140/nistec":        "elliptic curves",
	"math/big":                              "keys, as they are published",
	"encoding/json":                         "JSON",
	"github.com/go-json-experiment/json":    "strict JSON, for tokens",
	"sigs.k8s.io/json/internal/golang/encoding/json": "JSON, by apimachinery",
	"github.com/json-iterator/go":                    "JSON, by apimachinery",
	"github.com/fxamacker/cbor/v2":                   "by apimachinery",
	"k8s.io/apimachinery/pkg/apis/meta/v1":           "TokenReview's metadata",
	"k8s.io/apimachinery/pkg/runtime":                "the scheme",
	"go.yaml.in/yaml/v2":                             "the kubeconfig, by client-go",
	"go.yaml.in/yaml/v3":                             "the configuration file",
	"google.golang.org/protobuf/internal/impl":       "metrics, and apimachinery",
	"google.golang.org/protobuf/internal/filedesc":   "metrics, and apimachinery",
	"github.com/prometheus/client_golang/prometheus": "metrics",
}

// A sidecar is paid for in every pod, so what it is made of does not grow without
// a word. It is measured on one system, whichever this is, and -v prints it.
func TestHeaviestPackages(t *testing.T) {
	t.Parallel()
	weights := weigh(t)
	names := slices.SortedFunc(maps.Keys(weights), func(a, b string) int { return cmp.Compare(weights[b], weights[a]) })
	for i, name := range names[:heaviest] {
		t.Logf("%2d. %5d KiB  %s: %s", i+1, weights[name]>>10, name, heavy[name])
		if heavy[name] == "" {
			t.Errorf("%s takes %d KiB of the program, and is new among its %d heaviest packages.\n"+
				"Find out what brings it (go mod why, go list -deps), and whether a lighter way will do: docs/dependencies.md.\n"+
				"If it must be, put it on the list in this file, with what it is there for", name, weights[name]>>10, heaviest)
		}
	}
	for name := range heavy {
		if weights[name] == 0 {
			t.Errorf("%s is not in the program any more: take it off the list", name)
		}
	}
}

// weigh returns how many bytes of the program come from each package that is not
// ours.
func weigh(t *testing.T) map[string]int {
	t.Helper()
	program := filepath.Join(t.TempDir(), "sallyport")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-w", "-o", program, "./cmd/proxy")
	build.Dir = ".."
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	file, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	symbols, err := file.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	weights := map[string]int{}
	for _, s := range symbols {
		// What is zero at the start takes nothing of the file.
		if int(s.Section) >= len(file.Sections) || file.Sections[s.Section].Type == elf.SHT_NOBITS {
			continue
		}
		if name := packageOf(s.Name); name != "" && name != "main" && !under(name, module) {
			weights[name] += int(s.Size)
		}
	}
	return weights
}

// packageOf returns the package that a symbol is of, or "" for the linker's own.
func packageOf(symbol string) string {
	symbol, _, _ = strings.Cut(symbol, "[") // type arguments have packages of their own
	if kind, rest, ok := strings.Cut(symbol, ":"); ok {
		if kind != "go" || !strings.HasPrefix(rest, "itab.") {
			return ""
		}
		symbol, _, _ = strings.Cut(strings.TrimLeft(rest[len("itab."):], "*"), ",")
	}
	slash := strings.LastIndexByte(symbol, '/') + 1
	last, _, ok := strings.Cut(symbol[slash:], ".")
	if !ok {
		return ""
	}
	return strings.ReplaceAll(symbol[:slash]+last, "%2e", ".")
}

func TestPackageOf(t *testing.T) {
	for symbol, want := range map[string]string{
		"net/http.(*Server).Serve":                    "net/http",
		"main.main.func1":                             "main",
		"go.uber.org/zap.(*Logger).Info":              "go.uber.org/zap",
		"go:itab.*os.File,io.Reader":                  "os",
		"slices.pdqsortCmpFunc[go.shape.*k8s.io/x.T]": "slices",
		"gopkg.in/inf%2ev0.(*Dec).Cmp":                "gopkg.in/inf.v0",
		"type:.eq.crypto/tls.x":                       "",
		"go:func.*":                                   "",
	} {
		if got := packageOf(symbol); got != want {
			t.Errorf("packageOf(%q) = %q, want %q", symbol, got, want)
		}
	}
}
