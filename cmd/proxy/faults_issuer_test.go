package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"time"

	"sallyport/internal/minicluster"
)

// issuerFaults are those of an issuer in the configuration's jwt: list. Its
// callers are asked about, and the cluster's beside them: they notice nothing.
func issuerFaults() group {
	row := func(name, result string, breaks, mends func(*broken), todo string) fault {
		return fault{name: name, before: withIssuer, breaks: breaks, mends: mends, noticed: true,
			known: now("200"), new: now("200"), ready: "yes",
			metric: `sallyport_jwks_fetches_total{issuer="URL",result="` + result + `"}`, log: "cannot fetch the issuer's keys",
			again: recovery, todo: todo}
	}
	document := func(name, result string, f minicluster.Fault, todo string) fault {
		return row(name, result, func(b *broken) { b.idp.Fail(minicluster.All, f) }, func(b *broken) { b.idp.Heal() }, todo)
	}
	keys := func(name, result string, change func([]byte) []byte, todo string) fault {
		return row(name, result, func(b *broken) { b.idp.publish(change) }, func(b *broken) { b.idp.publish(nil) }, todo)
	}
	const theirs = "look at the issuer; there is a day for it"
	born := row("unreachable since our start", "network", func(b *broken) { b.idp.Stop() }, func(b *broken) { must(b.t, b.idp.Start()) }, "look at the issuer, and at `certificateAuthority` and `discoveryURL`")
	born.born, born.known, born.new = true, expect{}, now("503")
	newKey := row("unreachable, and signs with a new key", "network", func(b *broken) {
		b.idp.Stop()
		_, err := b.idp.RotateKey()
		must(b.t, err)
	}, func(b *broken) { must(b.t, b.idp.Start()) }, "look at the issuer at once")
	newKey.new = now("503")
	replaced := row("replaces its key and withdraws the old one", "ok", func(b *broken) {
		old := b.idp.SigningKey()
		_, err := b.idp.RotateKey()
		must(b.t, err)
		b.idp.RemoveKey(old)
	}, nil, "nothing: it revoked what it had issued")
	replaced.known, replaced.log = now("401"), "key removed, and every decision that rests on it"
	swapped := row("gives a new key the old one's id", "ok", func(b *broken) {
		old := b.idp.SigningKey()
		fresh, err := b.idp.RotateKey()
		must(b.t, err)
		b.idp.RemoveKey(old)
		b.idp.publish(func(set []byte) []byte { return bytes.ReplaceAll(set, []byte(fresh), []byte(old)) })
		b.issue = func() string { return b.idp.named(b, old) }
	}, nil, "nothing; the issuer should give each key an id of its own")
	swapped.known, swapped.log = now("401"), "key removed, and every decision that rests on it"
	return group{
		title: "Another issuer",
		intro: "One of the configuration's `jwt:` list. Callers from the cluster, and from other issuers, notice nothing. Keys at hand are used for 24 h.",
		args:  []string{quickKeys},
		rows: []fault{
			born,
			row("refuses connections", "network", func(b *broken) { b.idp.Stop() }, func(b *broken) { must(b.t, b.idp.Start()) }, theirs),
			newKey,
			document("takes 10 s for each answer", "timeout", minicluster.Fault{Latency: 10 * time.Second}, theirs),
			document("hangs", "timeout", minicluster.Fault{Hang: true}, theirs),
			document("500", "status", minicluster.Fault{Status: 500}, theirs),
			document("redirects", "status", minicluster.Fault{Status: 302, Location: "https://192.0.2.1/"}, "give its final address: `discoveryURL`"),
			document("answers HTML", "decode", minicluster.Fault{Body: minicluster.Garbage}, "a proxy or a login page answers in its place"),
			document("answers 1 GB", "decode", minicluster.Fault{Body: minicluster.Oversize}, theirs),
			document("sends half an answer", "network", minicluster.Fault{Body: minicluster.Truncate}, theirs),
			keys("publishes an empty set", "empty", func([]byte) []byte { return []byte(`{"keys":[]}`) }, theirs),
			keys("publishes malformed keys", "empty", func([]byte) []byte { return []byte(`{"keys":[{"kty":"RSA","n":"AQ","e":""},{"kty":7},"x"]}`) }, theirs),
			keys("publishes keys that are no JSON", "decode", func([]byte) []byte { return []byte("-----BEGIN PUBLIC KEY-----") }, theirs),
			replaced, swapped,
		},
	}
}

// named is a token that names a key, whoever signs it.
func (p idp) named(b *broken, kid string) string {
	b.t.Helper()
	at := time.Now().Unix()
	token, err := p.Sign(map[string]any{"alg": "RS256", "kid": kid}, map[string]any{
		"iss": p.URL(), "sub": "1", "aud": "people", "iat": at, "exp": at + 60, "email": "ann@example.test",
	})
	must(b.t, err)
	return token
}

// publish changes what stands where the keys are; nil changes nothing.
func (p idp) publish(change func([]byte) []byte) {
	p.keys.handler.Store(&handler{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if change == nil {
			p.ServeHTTP(w, r)
			return
		}
		rec := httptest.NewRecorder()
		p.ServeHTTP(rec, r)
		w.Write(change(rec.Body.Bytes()))
	})})
}
