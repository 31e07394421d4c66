package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"sallyport/internal/filewatch/volumetest"
	"sallyport/internal/minicluster"
)

// A folder is where files are replaced.
type folder struct {
	path  func(name string) string
	write func(map[string]string)
}

// folders are written as the kubelet does it, all files at once, and as a shell
// does, one after the other and each in place.
func folders(t *testing.T) map[string]folder {
	v, dir := volumetest.New(t), t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	return map[string]folder{
		"by the kubelet": {v.Path, v.Write},
		"in place": {path, func(files map[string]string) {
			for name, content := range files {
				must(t, os.WriteFile(path(name), []byte(content), 0o600))
			}
		}},
	}
}

// tornPairs are what may stand in the files of a certificate that is being replaced.
func tornPairs(old, fresh map[string]string) []map[string]string {
	cert, key := fresh["tls.crt"], fresh["tls.key"]
	pair := func(cert, key string) map[string]string { return map[string]string{"tls.crt": cert, "tls.key": key} }
	return []map[string]string{
		pair(cert, old["tls.key"]), pair(old["tls.crt"], key),
		pair("", key), pair(cert, ""), pair("", ""),
		pair(cert[:len(cert)/2], key), pair(cert, key[:len(key)/2]),
	}
}

// The certificate of our listener is replaced, and torn, while callers come.
func TestListenerCertificateRotates(t *testing.T) {
	t.Parallel()
	for how, f := range folders(t) {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			current := makeCertificate(t, "0", time.Now().Add(time.Hour))
			f.write(current)
			w := start(t, "--tls-cert-file="+f.path("tls.crt"), "--tls-key-file="+f.path("tls.key"), "--log-level=info")
			token := w.token()
			c := w.crowd(token)
			shown := func() string { return w.secure(token, false).TLS.PeerCertificates[0].Subject.CommonName }
			n, longest := 0, time.Duration(0)
			for i := range tornPairs(current, current) {
				fresh := makeCertificate(t, fmt.Sprint(i+1), time.Now().Add(time.Hour))
				c.doing.Store(fmt.Sprint("torn as ", i))
				c.awaits("cannot use the new certificate: the last good one stays", func() { f.write(tornPairs(current, fresh)[i]) })
				if got := shown(); got != fmt.Sprint(i) {
					t.Errorf("torn as %d: the certificate is %q, not the one before", i, got)
				}
				c.doing.Store(fmt.Sprint("whole after ", i))
				f.write(fresh)
				longest = max(longest, c.inForce("the new certificate is in use", func() bool { return shown() == fmt.Sprint(i+1) }))
				current, n = fresh, n+1
			}
			c.doing.Store("replaced all the while")
			for i := range 50 {
				f.write(makeCertificate(t, fmt.Sprint("quick ", i), time.Now().Add(time.Hour)))
				time.Sleep(10 * time.Millisecond)
			}
			longest = max(longest, c.inForce("the last certificate is in use", func() bool { return shown() == "quick 49" }))
			c.report(fmt.Sprintf("%d certificates, %d torn ones", n+50, n), longest)
		})
	}
}

// rotateCA changes the CA of a server: both are in the file while the server goes
// from one to the other, and each file is torn before it is whole.
func (c *crowd) rotateCA(s *minicluster.Server, r *renewing, write func([]byte)) (longest time.Duration) {
	c.t.Helper()
	const torn, loaded = "cannot use the CA file: its last good certificates stay in use", "CA certificates loaded"
	connects := func() {
		c.t.Helper()
		// Two may have been on their way.
		n := r.connections()
		c.eventually("connected anew", func() bool { return r.connections() > n+2 })
	}
	replace := func(ca []byte, torn string, tear []byte) {
		c.t.Helper()
		c.awaits(torn, func() { write(tear) })
		connects()
		n := c.logged(loaded)
		write(ca)
		longest = max(longest, c.inForce("the CA is in use", func() bool { return c.logged(loaded) > n }))
		connects()
	}
	for i := range 3 {
		both := slices.Concat(s.CAPEM(), s.NextCAPEM())
		c.doing.Store(fmt.Sprint("both CAs ", i))
		replace(both, torn, both[:len(both)-40])
		c.doing.Store(fmt.Sprint("the server's certificate ", i))
		must(c.t, s.RotateCA())
		connects()
		must(c.t, s.RotateCertificate())
		connects()
		c.doing.Store(fmt.Sprint("the new CA alone ", i))
		replace(s.CAPEM(), torn, [][]byte{nil, s.CAPEM()[:200], []byte("what is this")}[i])
	}
	return longest
}

// The API server's CA and certificate, and our own token with them.
func TestClusterCARotates(t *testing.T) {
	t.Parallel()
	for _, kubelet := range []bool{true, false} {
		t.Run(map[bool]string{true: "by the kubelet", false: "in place"}[kubelet], func(t *testing.T) {
			t.Parallel()
			w := around(t)
			r := renews(w.cluster, 1)
			var err error
			w.server, err = minicluster.Serve(r)
			must(t, err)
			t.Cleanup(w.server.Stop)
			ca := w.server.CAPEM()
			mount := minicluster.Mount{Dir: filepath.Join(w.dir, "rotated"), Request: minicluster.Request{Namespace: "gate", ServiceAccount: "gate", Pod: "gate-0"}}
			if kubelet {
				mount.Files = func() map[string][]byte { return map[string][]byte{"ca.crt": ca} }
			}
			w.kubelet, err = w.cluster.Mount(mount)
			must(t, err)
			write := func(content []byte) {
				if ca = content; !kubelet {
					must(t, os.WriteFile(filepath.Join(mount.Dir, "ca.crt"), content, 0o600))
				}
				must(t, w.kubelet.RotateNow())
			}
			write(ca)
			w.serve(w.dir, []string{"--recheck=1s", quickKeys, "--log-level=info"})
			c := w.crowd(w.token())
			c.newcomers(func() string { return w.token() })
			longest := c.rotateCA(w.server, r, write)
			c.report("3 CAs, 6 torn ones", longest)

			// All at once, as where nobody prepared anything: who is known goes on.
			c = w.crowd(w.token())
			c.eventually("known", func() bool { return c.calls["fresh"].Load() > 0 })
			c.doing.Store("all at once")
			must(t, w.server.RotateCA())
			c.eventually("noticed", func() bool { return w.metric(`sallyport_tokenreviews_total{result="tls"}`) != "0" })
			begun := time.Now()
			write(w.server.CAPEM())
			c.eventually("open to newcomers", func() bool { return w.get(w.token()).code == 200 })
			c.report("a CA all at once", time.Since(begun))
		})
	}
}

// An app with TLS.
func TestUpstreamCARotates(t *testing.T) {
	t.Parallel()
	for how, f := range folders(t) {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			w := around(t)
			r := renews(echoHandler(), 3)
			app, err := minicluster.Serve(r)
			must(t, err)
			t.Cleanup(app.Stop)
			write := func(ca []byte) { f.write(map[string]string{"app.crt": string(ca)}) }
			write(app.CAPEM())
			w.serve(w.dir, []string{"--upstream=" + app.URL(), "--upstream-ca-file=" + f.path("app.crt"), "--log-level=info"})
			c := w.crowd(w.token())
			longest := c.rotateCA(app, r, write)
			c.report("3 CAs, 6 torn ones", longest)
		})
	}
}

// Another issuer's certificate, CA and keys. Its CAs stand in the configuration,
// so that those which it is going to have must be there from the start.
func TestIssuerCARotates(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	r := renews(p.Cluster, 1)
	var err error
	p.Server, err = minicluster.Serve(r)
	must(t, err)
	t.Cleanup(p.Stop)
	p.SetIssuers(p.URL())
	p.SetJWKSURI(p.URL() + "/openid/v1/jwks")
	w := start(t, append(p.trusting(bytes.Join([][]byte{p.CAPEM(), p.NextCAPEM()}, nil)), quickKeys, "--log-level=info")...)
	w.eventually("able to check the provider's tokens", func() bool { return w.get(p.token(t, nil)).code == 200 })
	c := w.crowd(p.token(t, nil))
	c.newcomers(func() string { return p.token(t, nil) })
	// A key is published, and signs once it was fetched: over a new connection.
	newKey := func() {
		t.Helper()
		kid, err := p.AddKey()
		must(t, err)
		n := r.connections()
		c.eventually("fetched over a new connection", func() bool { return r.connections() > n+2 })
		must(t, p.SignWith(kid))
	}
	newKey()
	c.doing.Store("another certificate")
	must(t, p.RotateCertificate())
	newKey()
	c.doing.Store("another CA, which was told")
	must(t, p.RotateCA())
	newKey()
	c.doing.Store("another CA, which was not: the keys at hand are used")
	must(t, p.RotateCA())
	failures := `sallyport_jwks_fetches_total{issuer="` + p.URL() + `",result="tls"}`
	c.eventually("noticed", func() bool { return w.metric(failures) != "0" })
	c.report("2 certificates, a CA, 3 keys", 0)
}
