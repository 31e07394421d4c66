package deploy

import (
	"os"
	"testing"

	"sigs.k8s.io/yaml"
)

// The PodMonitor finds the gate in sidecar.yaml, by the names there.
func TestPodMonitor(t *testing.T) {
	data, err := os.ReadFile("observability/podmonitor.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var monitor struct {
		Spec struct {
			PodMetricsEndpoints []struct {
				Port        string
				Relabelings []struct {
					SourceLabels               []string
					Regex, Action, TargetLabel string
					Replacement                string
				}
			}
		}
	}
	if err := yaml.Unmarshal(data, &monitor); err != nil {
		t.Fatal(err)
	}
	endpoints, gate := monitor.Spec.PodMetricsEndpoints, read(t).gate()
	if len(endpoints) != 1 || len(endpoints[0].Relabelings) != 2 {
		t.Fatalf("the endpoints are %+v", endpoints)
	}
	found := false
	for _, p := range gate.Ports {
		found = found || p.Name == endpoints[0].Port
	}
	if keep := endpoints[0].Relabelings[0]; !found || keep.Regex != gate.Name || keep.Action != "keep" {
		t.Errorf("it keeps the port %s of the container %s, and the gate is %s with %+v", endpoints[0].Port, keep.Regex, gate.Name, gate.Ports)
	}
	// As rules.yaml and docs/metrics.md call it.
	if job := endpoints[0].Relabelings[1]; job.TargetLabel != "job" || job.Replacement != "sallyport" {
		t.Errorf("the job: %+v", job)
	}
}
