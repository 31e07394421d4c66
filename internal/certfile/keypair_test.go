package certfile

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"sallyport/internal/filewatch/volumetest"
)

func pairOf(m made) map[string]string { return map[string]string{"tls.crt": m.cert, "tls.key": m.key} }

func (h *house) openPair() (*KeyPair, error) {
	return OpenKeyPair(h.v.Path("tls.crt"), h.v.Path("tls.key"), h.log, nil)
}

func serialOf(t *testing.T, k *KeyPair) int64 {
	t.Helper()
	cert, err := k.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	if !cert.Leaf.NotAfter.Equal(k.NotAfter()) {
		t.Errorf("NotAfter = %v, the certificate's is %v", k.NotAfter(), cert.Leaf.NotAfter)
	}
	return cert.Leaf.SerialNumber.Int64()
}

func TestKeyPairRotates(t *testing.T) {
	a, b := make1(t, 1), make1(t, 2)
	inBubble(t, func(t *testing.T, h *house) {
		h.v.Write(pairOf(a))
		k, err := h.openPair()
		if err != nil {
			t.Fatal(err)
		}
		h.run(t, k.Run)
		time.Sleep(10 * time.Second)
		h.wantLines(t, "for a while")
		h.v.Write(pairOf(b))
		h.wait()
		if got := serialOf(t, k); got != 2 || !k.NotAfter().Equal(b.notAfter) {
			t.Errorf("certificate %d until %v, want 2", got, k.NotAfter())
		}
		h.wantLines(t, "rotated", "info: certificate replaced|expires:")
		before := k.current.Load()
		h.v.Write(pairOf(b))
		h.wait()
		if h.wantLines(t, "written again"); k.current.Load() != before {
			t.Error("equal contents are a new pair")
		}
	})
}

// spoiled is what can be wrong with a pair that follows a.
func spoiled(a, b made) map[string]struct {
	files map[string]string
	want  string
} {
	chain := b.cert + a.cert
	with := func(name, content string) map[string]string {
		m := pairOf(b)
		m[name] = content
		return m
	}
	return map[string]struct {
		files map[string]string
		want  string
	}{
		"mismatch":           {with("tls.key", a.key), "private key does not match"},
		"empty certificate":  {with("tls.crt", ""), "no PEM certificate"},
		"empty key":          {with("tls.key", ""), "PEM"},
		"torn certificate":   {with("tls.crt", b.cert[:len(b.cert)/2]), "torn"},
		"torn chain":         {with("tls.crt", chain[:len(chain)-40]), "torn"},
		"torn key":           {with("tls.key", b.key[:len(b.key)/2]), "PEM"},
		"swapped":            {map[string]string{"tls.crt": b.key, "tls.key": b.cert}, "no PEM certificate"},
		"not DER":            {with("tls.crt", block(certType, []byte("x"))), "x509"},
		"no key":             {map[string]string{"tls.crt": b.cert}, "no such file"},
		"no certificate":     {map[string]string{"tls.key": b.key}, "no such file"},
		"larger than sense":  {with("tls.crt", b.cert+strings.Repeat("\n", 1<<20)), "more than"},
		"nothing in it ever": {map[string]string{}, "no such file"},
	}
}

func TestKeyPairStaysGood(t *testing.T) {
	a, b := make1(t, 1), make1(t, 2)
	for name, tc := range spoiled(a, b) {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, h *house) {
				h.v.Write(pairOf(a))
				k, err := h.openPair()
				if err != nil {
					t.Fatal(err)
				}
				h.run(t, k.Run)
				h.v.Unmount()
				h.v.Write(tc.files)
				time.Sleep(10 * time.Second)
				if got := serialOf(t, k); got != 1 {
					t.Errorf("certificate %d, want the last good one", got)
				}
				h.wantLines(t, "for a while", "warn: |the last good one stays|"+tc.want)
				h.v.Write(pairOf(b))
				h.wait()
				if got := serialOf(t, k); got != 2 {
					t.Errorf("certificate %d, want 2", got)
				}
				h.wantLines(t, "recovered", "info: the certificate's files are good again", "info: certificate replaced")
			})
		})
	}
}

func TestOpenKeyPairFails(t *testing.T) {
	a, b := make1(t, 1), make1(t, 2)
	for name, tc := range spoiled(a, b) {
		v := volumetest.New(t)
		v.Write(tc.files)
		k, err := OpenKeyPair(v.Path("tls.crt"), v.Path("tls.key"), zap.NewNop(), nil)
		if err == nil || k != nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), v.Dir) {
			t.Errorf("%s: %v; want the path and %q", name, err, tc.want)
		}
	}
}

func TestOneFileForBoth(t *testing.T) {
	a := make1(t, 1)
	path := t.TempDir() + "/both.pem"
	if err := os.WriteFile(path, []byte(a.key+a.cert), 0o600); err != nil {
		t.Fatal(err)
	}
	if k, err := OpenKeyPair(path, path, zap.NewNop(), nil); err != nil || serialOf(t, k) != 1 {
		t.Errorf("%v", err)
	}
}

// Under rotation every handshake gets a certificate and the key that fits, and
// nothing is logged as wrong.
func TestHandshakesUnderRotation(t *testing.T) {
	pairs := []made{make1(t, 1), make1(t, 2)}
	v := volumetest.New(t)
	v.Write(pairOf(pairs[0]))
	core, logs := observer.New(zap.DebugLevel)
	k, err := OpenKeyPair(v.Path("tls.crt"), v.Path("tls.key"), zap.New(core), nil)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var stop atomic.Bool
	wg.Go(func() {
		for i := 0; !stop.Load(); i++ {
			v.Write(pairOf(pairs[i%2]))
			time.Sleep(5 * time.Millisecond)
		}
	})
	wg.Go(func() {
		for !stop.Load() {
			k.look()
		}
	})
	// Handshakes in memory may have one processor to themselves for a while.
	const enough = 30
	seen := map[int64]int{}
	for until := time.Now().Add(20 * time.Second); seen[1] < enough || seen[2] < enough; {
		serial, err := handshake(k)
		if err != nil {
			t.Error(err)
			break
		}
		if seen[serial]++; time.Now().After(until) {
			t.Errorf("saw the certificates %v, want both %d times", seen, enough)
			break
		}
	}
	stop.Store(true)
	wg.Wait()
	if bad := logs.FilterLevelExact(zap.WarnLevel).All(); len(bad) > 0 {
		t.Errorf("%d warnings, the first: %v", len(bad), bad[0])
	}
}

func handshake(k *KeyPair) (int64, error) {
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	server := tls.Server(there, &tls.Config{
		GetCertificate:         k.GetCertificate,
		SessionTicketsDisabled: true, // nobody reads them from the pipe
	})
	done := make(chan error, 1)
	go func() { done <- server.Handshake() }()
	// The test asks which certificate comes, and not whether to trust it.
	client := tls.Client(here, &tls.Config{InsecureSkipVerify: true})
	if err := client.Handshake(); err != nil {
		return 0, fmt.Errorf("client: %w", err)
	}
	if err := <-done; err != nil {
		return 0, fmt.Errorf("server: %w", err)
	}
	return client.ConnectionState().PeerCertificates[0].SerialNumber.Int64(), nil
}
