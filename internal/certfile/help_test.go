package certfile

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"sallyport/internal/filewatch"
	"sallyport/internal/filewatch/volumetest"
)

// made is a self-signed certificate in PEM, and what the tests ask of it.
type made struct {
	cert, key string
	serial    int64
	notAfter  time.Time
	x509      *x509.Certificate
}

func make1(t *testing.T, serial int64) made {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	notAfter := time.Date(2100, 1, int(serial%28)+1, 0, 0, 0, 0, time.UTC)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: fmt.Sprint("cert ", serial)},
		NotBefore: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: notAfter,
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return made{
		cert: block(certType, der), key: block("PRIVATE KEY", keyDER),
		serial: serial, notAfter: notAfter, x509: cert,
	}
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// A house is a volume, and what was logged, in a bubble where f runs.
type house struct {
	v    *volumetest.Volume
	log  *zap.Logger
	logs *observer.ObservedLogs
}

func inBubble(t *testing.T, test func(t *testing.T, h *house)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.DebugLevel)
		test(t, &house{v: volumetest.New(t), log: zap.New(core), logs: logs})
	})
}

// run runs f until the test ends, and lets the caller act between two polls.
func (h *house) run(t *testing.T, f func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- f(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	time.Sleep(filewatch.Interval / 5)
}

// wait lets the second pass within which a change has to be in force.
func (h *house) wait() {
	time.Sleep(time.Second)
	synctest.Wait()
}

// wantLines checks the lines logged since the last call.
func (h *house) wantLines(t *testing.T, what string, lines ...string) {
	t.Helper()
	var got []string
	for _, e := range h.logs.TakeAll() {
		got = append(got, fmt.Sprintf("%s: %s %v", e.Level, e.Message, e.ContextMap()))
	}
	ok := len(got) == len(lines)
	for i := 0; ok && i < len(got); i++ {
		for _, part := range strings.Split(lines[i], "|") {
			ok = ok && strings.Contains(got[i], part)
		}
	}
	if !ok || strings.Contains(fmt.Sprint(got), "PRIVATE KEY---") {
		t.Errorf("%s: logged\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(lines, "\n"))
	}
}
