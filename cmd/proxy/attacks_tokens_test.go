package main

import (
	"encoding/base64"
	"strings"

	"sallyport/internal/minicluster"
)

func tokenAttacks() campaign {
	return campaign{
		title: "Which tokens are good",
		intro: "Most of these are signed by the very key that signs good tokens: it is the rest of them that is refused.",
		rows: []attempt{
			{
				name: "algorithm confusion and `none` (RFC 8725; jwt libraries since 2015)",
				sent: "HS256 under the public key in five encodings; `none` in three spellings; ES256, EdDSA, `dir`, numbers, lists; with and without signature", wants: []string{"401"},
				try: func(s *siege) { s.presents(s.confused()...) }, proofs: []string{"internal/authn/oidc.TestAlgorithmConfusion", "internal/authn/oidc.TestParseKey"},
			},
			{
				name: "a token that brings its key", sent: "`jku`, `x5u`, `jwk`, `x5c`, a `kid` that is a URL; `crit`, `b64`, `zip`", wants: []string{"401"},
				then: "nobody asks at the URL; under the right key too: a header that we do not understand is refused",
				try:  func(s *siege) { s.presents(s.pointed()...) }, proofs: []string{"internal/authn/oidc.TestVerifierRefuses"},
			},
			{
				name: "jwt-go CVE-2020-26160, Zitadel GHSA-g5h5-m4hm-xjrr: the audience", sent: "no `aud`, empty, a number, nested, a list with something else in it, twice, in another case", wants: []string{"401"},
				try: func(s *siege) { s.presents(s.audiences()...) }, proofs: []string{"internal/authn/oidc.TestAudienceRules", "internal/authn/jwt.TestDecodeClaims"},
			},
			{
				name: "go-jose CVE-2025-27144, golang-jwt CVE-2025-30204, x/oauth2 CVE-2025-22868: a token of dots", sent: "20,000, 60,000 and 1,000,000 dots", wants: []string{"401", "431, closed"},
				then: "the length is looked at first; what is split is split without an allocation for each part",
				try: func(s *siege) {
					s.presents(strings.Repeat(".", 20000), strings.Repeat("a.", 8000), strings.Repeat(".", 60000), strings.Repeat(".", 1000000))
				}, proofs: []string{"internal/authn/jwt.TestDots"},
			},
			{
				name: "go-jose CVE-2024-28180 and CVE-2026-34986: an encrypted token", sent: "five parts, a zip bomb's header, a JSON serialisation", wants: []string{"401", "400"},
				then: "nothing here decrypts",
				try: func(s *siege) {
					b64 := base64.RawURLEncoding.EncodeToString
					s.presents(
						b64([]byte(`{"alg":"dir","enc":"A128GCM","zip":"DEF"}`))+"..AAAA.AAAA.AAAA", b64([]byte(`{"alg":"RSA-OAEP","enc":"A128GCM"}`))+".AAAA.AAAA.AAAA.AAAA",
						s.good+".AAAA.AAAA", strings.ReplaceAll(s.good, ".", ".."), b64([]byte(`{"alg":"A128KW","enc":"A128GCM"}`))+"."+strings.Repeat(".A", 3),
					)
					s.presents(`{"payload":"AAAA","signatures":[]}`)
				},
			},
			{
				name: "Envoy CVE-2021-21378: an issuer that nobody knows counts as no token", sent: "a token of another issuer; none; on a public path too", wants: []string{"401", "nobody"},
				then: "a route is public or is not: none takes a token or nothing",
				try: func(s *siege) {
					foreign := s.withClaim("iss", "https://issuer.example")
					s.presents(foreign, s.withClaim("iss", nil), s.withClaim("iss", ""), s.withClaim("iss", "kubernetes/serviceaccount"))
					if x := s.through(anon("/status", "Authorization: Bearer "+foreign)); x.claims() != "" || x.Header["Authorization"] != nil {
						s.got("a name on a public path", foreign)
					}
					s.got("nobody", "")
				},
			},
			{
				name: "Oathkeeper GHSA-4mq7-pvjg-xp2r: a decision remembered for one is used for another",
				sent: "one token at two gates with different audiences, in turns; its claims signed by a stranger, right after it was let in", wants: []string{"200", "401"},
				then: "a gate has one set of audiences for its life, and remembers under the whole token, its key and its issuer",
				try:  sharedDecisions, proofs: []string{"internal/cache.TestWithdrawnKey", "internal/authn.TestIssuersShowTheTokenToOne"},
			},
			{
				name: "forged parts", sent: "another's claims with a good signature, cut and lengthened signatures, other bits where none count", wants: []string{"401"},
				try: func(s *siege) {
					head, rest, _ := strings.Cut(s.good, ".")
					other := strings.Split(s.world.other(), ".")
					s.raw(known("/")) // it is known
					s.presents(head+"."+other[1]+rest[strings.IndexByte(rest, '.'):], s.good[:len(s.good)-4], s.good+"AAAA", s.good+"=", unsigned(s.good)+".", "."+s.good, s.good+".",
						swapLast(s.good))
				},
			},
			{
				name: "kube-rbac-proxy, oauth-proxy: the app uses a caller's token elsewhere", sent: "tokens for the API server, alone and beside our audience; a configuration without an audience", wants: []string{"401", "refuses to start"},
				then: "the app gets no token, unless `--forward-authorization`",
				try: func(s *siege) {
					s.presents(s.world.token(minicluster.DefaultIssuer), s.world.token(audience, minicluster.DefaultIssuer))
					s.refusesToStart("--upstream=http://127.0.0.1:1", "--tls=off")
				}, proofs: []string{"cmd/proxy.TestModes", "cmd/proxy.TestFurtherAudienceBeforeOwnToken"},
			},
			{
				name: "kube-rbac-proxy 0.18.2, oauth2-proxy #3264: tokens in the log", sent: "all of this page, at `--log-level=debug`; tokens in the path, the query, the method, the Host", wants: []string{"401", "400", "400, closed", "nothing told"},
				then: "no part of a token is in the log, the metrics, or an answer",
				shots: []string{
					anon("/{token}"), anon("/?token={token}"), anon("http://{token}@x/"), send("{token}", "/"), "GET / HTTP/1.1\r\nHost: {token}\r\n\r\n", "GET {token} HTTP/1.1\r\n\r\n",
					anon("/", "{token}: x"), anon("/", "X-A: b", " {token}"), anon("/", "Authorization : Bearer {token}"), "{token}\r\n\r\n", known("/../{token}"),
				},
				try:    func(s *siege) { s.nothingTold(); s.got("nothing told", "") },
				proofs: []string{"internal/proxy.TestLogNoToken", "internal/authn.FuzzRedact", "internal/telemetry.TestKlogPrintsNoBody", "internal/telemetry.TestStdLogQuotesNothing"},
			},
		},
	}
}

// swapLast changes bits of the last byte that decode to nothing: another text of
// the same signature.
func swapLast(token string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	i := strings.IndexByte(alphabet, token[len(token)-1])
	return token[:len(token)-1] + string(alphabet[i^1])
}

func sharedDecisions(s *siege) {
	second := &world{t: s.t, cluster: s.cluster, server: s.server, kubelet: s.kubelet, app: s.app, log: &logBuffer{}, dir: s.t.TempDir()}
	second.handler.Store(s.handler.Load())
	second.serve(second.dir, []string{"--audience=other-app", "--upstream=" + s.app.URL})
	for range 3 {
		s.presents(s.good)
		second.want(401, s.good)
		theirs := s.world.token("other-app")
		second.want(200, theirs)
		s.presents(theirs)
	}
	claims, err := s.cluster.Claims(s.request())
	must(s.t, err)
	forged, err := s.stranger().Sign(s.cluster.Header(), claims)
	must(s.t, err)
	s.presents(forged, unsigned(s.good)+forged[strings.LastIndexByte(forged, '.'):])
}
