package main

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"sallyport/internal/minicluster"
)

func keyAttacks() campaign {
	return campaign{
		title: "Who decides",
		intro: "The issuer's keys and the API server are asked, by rules that callers cannot change.",
		args:  []string{"--recheck=1s"},
		rows: []attempt{
			{
				name: "Istio CVE-2026-31837: keys that cannot be fetched are replaced by default ones", sent: "tokens good and forged, while the keys were never there", wants: []string{"503", "401"},
				then: "401 is for what no key could make good. There is no key but those fetched", try: withoutKeys, proofs: []string{"cmd/proxy.TestNobodyIsRefusedBeforeWeKnow", "internal/authn/oidc.TestFirstFetchFails", "internal/authn/oidc.TestFailedFetchRemovesNothing"},
			},
			{
				name: "go-oidc #482, kgateway #4509: each unknown key id is a fetch", sent: "300 tokens with key ids that nobody published", wants: []string{"401", "one fetch at most"},
				then: "one in a cool-down of 10 s; known callers notice nothing", try: unknownKeys, proofs: []string{"internal/authn/oidc.TestUnknownKeyFlood", "internal/authn/oidc.TestUnknownIssuerFlood"},
			},
			{
				name: "kube-rbac-proxy, oauth-proxy: each bad token is a call to the API server", sent: "200 tokens: garbage, forged, expired, for others", wants: []string{"401", "no call"},
				then: "in `tokenreview` mode, what could be good takes turns under a limit",
				try:  badTokens, proofs: []string{"cmd/proxy.TestReviewsPerToken", "internal/authn/tokenreview.TestLimiters", "cmd/proxy.TestStrangersAreExaminedAtABoundedRate"},
			},
			{
				name: "CVE-2024-45336, CVE-2023-45289, CVE-2025-4673: a credential follows a redirect", sent: "301, 307 and 308 in answer to our own calls: TokenReview, discovery, keys", wants: []string{"503", "nobody came"},
				then: "we follow none, and our token goes to one address", try: redirected,
				proofs: []string{"internal/apiserver.TestRedirectIsNotFollowed", "internal/apiserver.TestNoOtherHost", "internal/apiserver.TestKubeconfigClientGoesNowhereElse"},
			},
			{
				name: "Traefik CVE-2026-41181: the caller's headers go to a helper", sent: "cookies and headers beside a new token", wants: []string{"200", "the token alone"}, then: "a TokenReview has the token in its body, and headers of ours", try: helped,
			},
		},
	}
}

// withoutKeys is a gate that never saw a key.
func withoutKeys(s *siege) {
	b := &broken{world: around(s.t)}
	b.server.Stop()
	b.inProcess(b.flags(b.dir, []string{"--mode=oidc", "--upstream=" + s.app.URL}))
	other := &siege{world: b.world, whole: s.t, way: s.way, good: b.token(), outcomes: map[string]string{}}
	for _, token := range append(s.confused()[:5], b.token(), s.good, unsigned(s.good)+".AAAA") {
		s.got(strings.TrimSuffix(other.raw(anon("/", "Authorization: Bearer "+token)).outcome, ", closed"), token)
	}
}

// flood sends tokens over some connections, and notes each status.
func (s *siege) flood(tokens []string) {
	var wg sync.WaitGroup
	for part := range slices.Chunk(tokens, len(tokens)/4) {
		wg.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for _, token := range part {
				req, _ := http.NewRequest(http.MethodGet, "http://"+s.gate.data.addr()+"/", nil)
				req.Header.Set("Authorization", "Bearer "+token)
				res, err := client.Do(req)
				if err != nil {
					s.got(err.Error(), token)
					continue
				}
				io.Copy(io.Discard, res.Body)
				res.Body.Close()
				s.got(fmt.Sprint(res.StatusCode), token)
			}
		})
	}
	wg.Wait()
}

func unknownKeys(s *siege) {
	before := s.cluster.Counts().Keys
	var tokens []string
	for i := range 300 {
		tokens = append(tokens, s.withHeader("kid", fmt.Sprint("none", i)))
	}
	s.flood(tokens)
	if r := s.raw(known("/")); r.code != 200 {
		s.got("known callers: "+r.outcome, "")
	}
	if n := s.cluster.Counts().Keys - before; n > 1 {
		s.got(fmt.Sprint(n, " fetches"), "")
	}
	s.got("one fetch at most", "")
}

func badTokens(s *siege) {
	forged := unsigned(s.good) + "." + strings.Repeat("A", 342)
	before := s.cluster.Counts().Reviews
	var tokens []string
	for i := range 40 {
		tokens = append(tokens, fmt.Sprintf("x%d", i), fmt.Sprintf("a.b.%d", i), fmt.Sprintf("%s%d", forged[:len(forged)-2], 10+i%9),
			s.withClaim("exp", 1000000000+i), s.withClaim("aud", fmt.Sprint("other", i)))
	}
	s.flood(tokens)
	if n := s.cluster.Counts().Reviews - before; n > 0 {
		s.got(fmt.Sprint(n, " calls"), "")
	}
	s.got("no call", "")
}

// redirected points our own calls at somebody else.
func redirected(s *siege) {
	thief := newThief(s)
	for _, status := range []int{301, 307, 308} {
		f := minicluster.Fault{Status: status, Location: thief}
		for _, e := range []minicluster.Endpoint{minicluster.Reviews, minicluster.Keys, minicluster.Discovery} {
			s.cluster.Fail(e, f)
		}
		s.presents(s.world.token())
	}
	s.cluster.Heal()
	s.eventually("back", func() bool { return s.get(s.world.token()).code == 200 })
	s.got("nobody came", "")
}

// newThief returns the URL of a server that nobody is to call.
func newThief(s *siege) string {
	s.t.Helper()
	l, url := listenOnLoopback(s.t)
	thief := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s.got("called, with "+r.Header.Get("Authorization"), r.URL.String())
	})}
	go thief.Serve(l)
	s.t.Cleanup(func() { thief.Close() })
	return url
}

func helped(s *siege) {
	var mu sync.Mutex
	said := map[string]string{}
	s.cluster.FailWhen(func(r *http.Request) *minicluster.Fault {
		mu.Lock()
		defer mu.Unlock()
		for name, values := range r.Header {
			said[name] = strings.Join(values, "|")
		}
		return nil
	})
	defer s.cluster.Heal()
	token := s.world.token()
	s.got(s.raw(anon("/?secret=x", "Authorization: Bearer "+token, "Cookie: secret=x", "X-Secret: secret", "X-Forwarded-For: 192.0.2.1", "User-Agent: secret", "Accept-Language: secret")).outcome, "")
	mu.Lock()
	defer mu.Unlock()
	for name, value := range said {
		if !slices.Contains([]string{"Accept", "Accept-Encoding", "Authorization", "Content-Length", "Content-Type", "User-Agent"}, name) || strings.Contains(value, "secret") || strings.Contains(value, token) {
			s.got("the API server saw "+name, "")
		}
	}
	if said["Authorization"] == "" {
		s.got("nobody asked", "")
	}
	s.got("the token alone", "")
}
