package main

import (
	"context"
	"fmt"
	"os"

	"sallyport/bench/world"
	"sallyport/internal/minicluster"
)

// startHAProxy starts HAProxy, which checks what it can of a token: algorithm,
// issuer, audience, times, signature. It tells the app who is calling, and keeps
// the token, as Sallyport does. It remembers nothing, and asks nobody.
func startHAProxy(ctx context.Context, at *site, s *scenario) (*instance, error) {
	config := at.file("haproxy.cfg")
	var failed error
	p, addr, err := at.launch(ctx, at.haproxy, func(addr string) []string {
		failed = os.WriteFile(config, []byte(at.haproxyConfig(addr, s.listener)), 0o600)
		return []string{"-db", "-f", config}
	})
	if failed != nil {
		err = failed
	}
	return &instance{Process: p, addr: addr}, err
}

func (at *site) haproxyConfig(addr string, l listener) string {
	tls := fmt.Sprintf(" ssl crt %s alpn h2,http/1.1", at.cert)
	bind := map[listener]string{clear: addr, secure: addr + tls, h2: addr + tls, h2c: addr + " proto h2"}[l]
	return fmt.Sprintf(`global
  nbthread 2
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend callers
  bind %s
  http-request deny deny_status 401 unless { req.hdr(authorization) -m beg Bearer }
  http-request set-var(txn.bearer) http_auth_bearer
  http-request set-var(txn.alg) var(txn.bearer),jwt_header_query('$.alg')
  http-request set-var(txn.exp) var(txn.bearer),jwt_payload_query('$.exp','int')
  http-request set-var(txn.nbf) var(txn.bearer),jwt_payload_query('$.nbf','int')
  http-request set-var(txn.now) date()
  http-request deny deny_status 401 unless { var(txn.alg) -m str RS256 }
  http-request deny deny_status 401 unless { var(txn.bearer),jwt_payload_query('$.iss') -m str %s }
  http-request deny deny_status 401 unless { var(txn.bearer),jwt_payload_query('$.aud[0]') -m str %s }
  http-request deny deny_status 401 unless { var(txn.exp),sub(txn.now) -m int gt 0 }
  http-request deny deny_status 401 unless { var(txn.nbf),sub(txn.now) -m int le 60 }
  http-request deny deny_status 401 unless { var(txn.bearer),jwt_verify(txn.alg,"%s") 1 }
  http-request set-header X-Remote-User %%[var(txn.bearer),jwt_payload_query('$.sub')]
  http-request del-header Authorization
  default_backend app
backend app
  http-reuse always
  server app %s pool-max-conn 256
`, bind, minicluster.DefaultIssuer, world.Audience, at.public, at.app[len("http://"):])
}
