package minicluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"syscall"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
)

func serve(t *testing.T, c *Cluster) *Server {
	t.Helper()
	s, err := c.Serve()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// client trusts the server's CA of now, and no other.
func client(t *testing.T, s *Server) *http.Client { return trusting(t, s.CAPEM()) }

func trusting(t *testing.T, ca []byte) *http.Client {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func get(t *testing.T, ctx context.Context, hc *http.Client, c *Cluster, url string) (int, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.gateToken(t))
	resp, err := hc.Do(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

func TestServerStopsAndStarts(t *testing.T) {
	c := start(t, Options{})
	s := serve(t, c)
	hc, url := client(t, s), s.URL()
	for range 2 {
		if code, err := get(t, t.Context(), hc, c, url+keySet); code != 200 {
			t.Fatalf("%d %v", code, err)
		}
		s.Stop()
		s.Stop()
		// A connection that was open is cut, and a new one refused.
		hc.CloseIdleConnections()
		if _, err := get(t, t.Context(), hc, c, url+keySet); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("stopped: %v", err)
		}
		if err := errors.Join(s.Start(), s.Start()); err != nil {
			t.Fatal(err)
		}
		if s.URL() != url {
			t.Errorf("moved from %s to %s", url, s.URL())
		}
	}
}

// Stop ends calls that hang, and so do the clients that go away.
func TestServerHang(t *testing.T) {
	c := start(t, Options{})
	s := serve(t, c)
	hc := client(t, s)
	c.Fail(All, Fault{Hang: true})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := get(t, ctx, hc, c, s.URL()+keySet); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("impatient: %v", err)
	}
	time.AfterFunc(50*time.Millisecond, s.Stop)
	if _, err := get(t, t.Context(), hc, c, s.URL()+keySet); err == nil {
		t.Error("an answer from a server that hung and stopped")
	}
}

func TestServerFaults(t *testing.T) {
	c := start(t, Options{})
	s := serve(t, c)
	hc := client(t, s)
	for _, f := range []Fault{{Down: true}, {Body: Truncate}} {
		c.Fail(All, f)
		if _, err := get(t, t.Context(), hc, c, s.URL()+keySet); err == nil {
			t.Errorf("%+v: no error", f)
		}
	}
}

func TestRotateCA(t *testing.T) {
	c := start(t, Options{})
	s := serve(t, c)
	old := client(t, s)
	if err := s.RotateCA(); err != nil {
		t.Fatal(err)
	}
	var unknown x509.UnknownAuthorityError
	if _, err := get(t, t.Context(), old, c, s.URL()+keySet); !errors.As(err, &unknown) {
		t.Errorf("old CA: %v", err)
	}
	if code, err := get(t, t.Context(), client(t, s), c, s.URL()+keySet); code != 200 {
		t.Errorf("new CA: %d %v", code, err)
	}
	// Who was told in time trusts the server all the while.
	next := trusting(t, s.NextCAPEM())
	if _, err := get(t, t.Context(), next, c, s.URL()+keySet); !errors.As(err, &unknown) {
		t.Errorf("the next CA, too early: %v", err)
	}
	if err := s.RotateCA(); err != nil {
		t.Fatal(err)
	}
	serials := map[string]bool{}
	for range 2 {
		resp, err := next.Get(s.URL())
		if err != nil {
			t.Fatalf("the next CA: %v", err)
		}
		resp.Body.Close()
		serials[resp.TLS.PeerCertificates[0].SerialNumber.String()] = true
		next.CloseIdleConnections()
		if err := s.RotateCertificate(); err != nil {
			t.Fatal(err)
		}
	}
	if len(serials) != 2 {
		t.Error("RotateCertificate changed nothing")
	}
}

// client-go's own RESTClient gets along with it.
func TestClientGo(t *testing.T) {
	c := start(t, Options{})
	s := serve(t, c)
	scheme := runtime.NewScheme()
	if err := authenticationv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	rc, err := rest.RESTClientFor(&rest.Config{
		Host: s.URL(), APIPath: "/apis", BearerToken: c.gateToken(t),
		TLSClientConfig: rest.TLSClientConfig{CAData: s.CAPEM()},
		ContentConfig: rest.ContentConfig{
			GroupVersion:         &authenticationv1.SchemeGroupVersion,
			NegotiatedSerializer: serializer.NewCodecFactory(scheme).WithoutConversion(),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	tr := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: c.mustToken(t, web), Audiences: []string{"app"}}}
	if err := rc.Post().Resource("tokenreviews").Body(tr).Do(t.Context()).Into(tr); err != nil {
		t.Fatal(err)
	}
	if !tr.Status.Authenticated || tr.Status.User.Username != subject("shop", "web") {
		t.Errorf("status = %+v", tr.Status)
	}
}
