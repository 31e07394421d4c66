package scenarios

import (
	"encoding/json"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"sallyport/e2e/provider"
)

// peopleAudience is what the provider's tokens are for.
const peopleAudience = "orders"

// mara is one of the people, as she comes from the provider.
func mara() provider.Person {
	return provider.Person{
		Subject: "mara", Name: "Mara M", Groups: []string{"staff", "night shift"},
		Audience: []string{peopleAudience}, Life: time.Hour,
	}
}

// deployFor deploys a gate that accepts the provider's tokens, with this prefix
// for names and groups.
func deployFor(t *testing.T, p *peoplePod, c *callingPod, prefix string, flags ...string) *gate {
	t.Helper()
	g := deployWith(t, accepting(p, prefix, flags...))
	g.waitReached(t, c)
	return g
}

// accepting makes deployFor's change.
func accepting(p *peoplePod, prefix string, flags ...string) func(*manifest) {
	mapping := func(claim string) map[string]string { return map[string]string{"claim": claim, "prefix": prefix} }
	config := map[string]any{"jwt": []any{map[string]any{
		"issuer": map[string]any{
			"url": p.issuer, "audiences": []string{peopleAudience}, "certificateAuthority": string(p.roots),
		},
		"claimMappings": map[string]any{
			"username": mapping("sub"), "groups": mapping("groups"), "uid": map[string]string{"claim": "sub"},
		},
	}}}
	return func(m *manifest) {
		text, err := json.Marshal(config) // which is YAML
		if err != nil {
			panic(err) // strings alone cannot fail
		}
		people := corev1.ConfigMap{Data: map[string]string{"sallyport.yaml": string(text)}}
		people.Name = "people"
		m.ConfigMaps = append(m.ConfigMaps, people)
		m.pod().Volumes = append(m.pod().Volumes, corev1.Volume{Name: "people", VolumeSource: corev1.VolumeSource{
			ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "people"}}}})
		m.sidecar().VolumeMounts = append(m.sidecar().VolumeMounts,
			corev1.VolumeMount{Name: "people", MountPath: "/config", ReadOnly: true})
		m.serve(append(flags, "--config=/config/sallyport.yaml")...)
	}
}
