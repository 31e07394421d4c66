package telemetry

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
)

// bridged returns what klog writes from now on, at our debug level.
func bridged(t *testing.T) *bytes.Buffer {
	t.Helper()
	var out bytes.Buffer
	log, _, err := NewLogger("debug", "json", &out)
	if err != nil {
		t.Fatal(err)
	}
	BridgeKlog(log)
	t.Cleanup(klog.ClearLogger)
	return &out
}

// loud turns klog's own verbosity up, as if somebody had set its flags.
func loud(t *testing.T, flags ...string) {
	fs := flag.NewFlagSet("", flag.PanicOnError)
	klog.InitFlags(fs)
	for _, f := range flags {
		name, value, _ := strings.Cut(f, "=")
		before := fs.Lookup(name).Value.String()
		if err := fs.Set(name, value); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { fs.Set(name, before) })
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// review makes client-go send a TokenReview of token, which is answered with
// the same.
func review(t *testing.T, token string) {
	t.Helper()
	gv := schema.GroupVersion{Group: "authentication.k8s.io", Version: "v1"}
	scheme := runtime.NewScheme()
	if err := authenticationv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c, err := rest.RESTClientForConfigAndClient(&rest.Config{
		Host:          "http://api",
		APIPath:       "/apis",
		ContentConfig: rest.ContentConfig{GroupVersion: &gv, NegotiatedSerializer: serializer.NewCodecFactory(scheme)},
	}, &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil || !strings.Contains(string(body), token) {
			t.Errorf("sent %q (%v), want the token in it", body, err)
		}
		return &http.Response{
			StatusCode: http.StatusCreated,
			Header:     http.Header{"Content-Type": {"application/json"}},
			Body:       io.NopCloser(bytes.NewReader(body)),
			Request:    r,
		}, nil
	})})
	if err != nil {
		t.Fatal(err)
	}
	var answer authenticationv1.TokenReview
	err = c.Post().Resource("tokenreviews").
		Body(&authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}).
		Do(t.Context()).Into(&answer)
	if err != nil || answer.Spec.Token != token {
		t.Fatalf("review: %+v, %v", answer, err)
	}
}

func TestKlogPrintsNoBody(t *testing.T) {
	const token = "s3cr3t-t0ken"
	t.Run("quiet", func(t *testing.T) {
		out := bridged(t)
		review(t, token)
		if out.Len() != 0 {
			t.Errorf("logged: %s", out)
		}
	})
	t.Run("loud", func(t *testing.T) {
		out := bridged(t)
		loud(t, "v=10", "vmodule=*=10")
		review(t, token)
		if strings.Contains(out.String(), token) || strings.Contains(out.String(), "ody") {
			t.Errorf("logged: %s", out)
		}
	})
	// Without the bridge client-go does print it: what this test guards against
	// is still there.
	t.Run("without the bridge", func(t *testing.T) {
		var out bytes.Buffer
		loud(t, "v=10")
		klog.LogToStderr(false)
		klog.SetOutput(&out)
		t.Cleanup(func() { klog.SetOutput(io.Discard); klog.LogToStderr(true) })
		review(t, token)
		klog.Flush()
		if !strings.Contains(out.String(), token) {
			t.Errorf("client-go printed no body: %s", out.String())
		}
	})
}

func TestBridgeTurnsKlogDown(t *testing.T) {
	loud(t, "v=10")
	bridged(t)
	if klog.V(1).Enabled() {
		t.Error("verbosity 1 is enabled, want 0 alone")
	}
}

func TestKlogLines(t *testing.T) {
	secret := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: "s3cr3t"}}
	for _, tt := range []struct {
		name string
		do   func()
		want string // "" for no line; the end of the line, after its time
	}{
		{"info", func() { klog.Info("a thing") }, `"logger":"client-go","msg":"a thing"}`},
		{"fields", func() { klog.InfoS("a thing", "n", 7, "d", time.Second, "err", errors.New("e")) },
			`"msg":"a thing","n":"7","d":"1s","err":"e"}`},
		{"nil", func() { klog.InfoS("a thing", "n", nil) }, `"n":"<nil>"}`},
		{"odd number", func() { klog.Background().Info("a thing", "lonely") }, `"msg":"a thing"}`},
		{"error", func() { klog.ErrorS(errors.New("broken"), "a thing", "n", 7) }, `"msg":"a thing","n":"7","error":"broken"}`},
		{"values", func() { klog.Background().WithValues("a", "b").WithName("sub").Info("x") },
			`"logger":"client-go.sub","msg":"x","a":"b"}`},
		{"from a context", func() { klog.FromContext(context.Background()).Info("x") }, `"msg":"x"}`},
		{"an object", func() { klog.InfoS("x", "review", secret) }, `"review":"*v1.TokenReview"}`},
		{"a struct", func() { klog.InfoS("x", "review", *secret) }, `"review":"v1.TokenReview"}`},
		{"bytes", func() { klog.InfoS("x", "body", []byte("s3cr3t")) }, `"body":"[]uint8"}`},
		{"verbose", func() { klog.V(1).Info("x") }, ""},
		{"verbose, contextual", func() { klog.Background().V(1).Info("x") }, ""},
		{"verbose, straight to the sink", func() { klog.Background().GetSink().Info(1, "x") }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out := bridged(t)
			tt.do()
			line := strings.TrimSpace(out.String())
			if !strings.HasSuffix(line, tt.want) || tt.want == "" && line != "" || strings.Contains(line, "\n") {
				t.Errorf("logged %s, want %s", line, tt.want)
			}
		})
	}
}
