package config

import "testing"

func TestAddressesCollide(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"127.0.0.1:1", "127.0.0.1:1", true},
		{"127.0.0.1:1", "127.0.0.1:2", false},
		{"127.0.0.1:1", "127.0.0.2:1", false},
		{"127.0.0.1:1", ":1", true},
		{"localhost:1", "127.0.0.1:1", true},
		{"LOCALHOST:1", "[::1]:1", true},
		{"localhost:1", "0.0.0.0:1", true},
		{"localhost:1", "10.0.0.1:1", false},
		{"localhost:0", "127.0.0.1:0", false},
	} {
		a, err := ParseAddress(tt.a)
		if err != nil {
			t.Fatal(err)
		}
		b, err := ParseAddress(tt.b)
		if err != nil {
			t.Fatal(err)
		}
		if a.collides(b) != tt.want || b.collides(a) != tt.want {
			t.Errorf("%s and %s: not %v", tt.a, tt.b, tt.want)
		}
	}
}
