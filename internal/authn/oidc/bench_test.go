package oidc

import "testing"

// BenchmarkVerify is all that is checked of a token whose key is there.
func BenchmarkVerify(b *testing.B) {
	v := NewVerifier(clusterRules(), clusterKeySet(b))
	for name, token := range map[string]string{
		"RS256": sign("RS256", rsaKey(), map[string]any{"kid": "rsa"}, serviceAccountClaims(nil)),
		"ES256": es256(nil, serviceAccountClaims(nil)),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Authenticate(b.Context(), token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
