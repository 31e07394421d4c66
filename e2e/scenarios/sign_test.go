package scenarios

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"testing"
	"time"

	"sallyport/e2e/cluster"
)

// sign makes a token for the gate as the API server would, but with a life of
// our choice: it grants no less than ten minutes.
func (c *callingPod) sign(t *testing.T, expires time.Time) string {
	t.Helper()
	return c.signFor(t, gateAudience, time.Now(), expires)
}

// signFor is sign for any audience and time of issue.
func (c *callingPod) signFor(t *testing.T, audience string, issued, expires time.Time) string {
	t.Helper()
	key := signingKey(t)
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	id := sha256.Sum256(der) // as Kubernetes names keys: pkg/serviceaccount/jwt.go, keyIDFromPublicKey
	begin := issued.Unix()
	named := func(name, uid string) map[string]string { return map[string]string{"name": name, "uid": uid} }
	unsigned := segment(t, map[string]any{"alg": "RS256", "kid": base64.RawURLEncoding.EncodeToString(id[:])}) + "." +
		segment(t, map[string]any{
			"iss": cluster.Issuer,
			"sub": "system:serviceaccount:" + c.pod.Namespace + ":" + c.account.Name,
			"aud": []string{audience},
			"exp": expires.Unix(), "iat": begin, "nbf": begin,
			"jti": rand.Text(),
			"kubernetes.io": map[string]any{
				"namespace":      c.pod.Namespace,
				"serviceaccount": named(c.account.Name, string(c.account.UID)),
				"pod":            named(c.pod.Name, string(c.pod.UID)),
			},
		})
	digest := sha256.Sum256([]byte(unsigned))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	token := unsigned + "." + base64.RawURLEncoding.EncodeToString(signature)
	learn(token)
	return token
}

func segment(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

// signingKey returns the cluster's key for service accounts' tokens.
func signingKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	data, err := os.ReadFile(world.cluster.Settings().SigningKey)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		t.Fatal("the signing key is no PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*rsa.PrivateKey) // as the cluster made it
}
