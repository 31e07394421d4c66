package inspect

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sallyport/internal/minicluster"
)

const podClaims = `{"iss":"https://issuer","sub":"system:serviceaccount:ns:sa","aud":["a"],"exp":2000,"iat":1000,` +
	`"kubernetes.io":{"namespace":"ns","serviceaccount":{"name":"sa"},"pod":{"name":"p"}}}`

// volume is a projected volume with a token, a CA and a name.
func volume(t *testing.T, more map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "volume")
	v, err := minicluster.NewVolume(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"token": []byte(signed(header, podClaims)), "ca.crt": []byte("-----BEGIN CERTIFICATE-----"), "namespace": []byte("ns")}
	for name, text := range more {
		files[name] = []byte(text)
	}
	if err := v.Write(files); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestVolume(t *testing.T) {
	dir := volume(t, nil)
	data, err := os.Readlink(filepath.Join(dir, "..data"))
	if err != nil {
		t.Fatal(err)
	}
	for path, file := range map[string]string{
		dir: "token", filepath.Join(dir, "token"): "token",
		filepath.Join(dir, "..data", "token"): "..data/token", filepath.Join(dir, data, "token"): data + "/token",
	} {
		in, err := Open(path)
		if err != nil || len(in) != 1 {
			t.Fatalf("%s: %v, %v", path, in, err)
		}
		f := in[0].File
		if f.Path != filepath.Join(dir, file) || f.Mode != "0644" || int(f.User) != os.Getuid() || int(f.Group) != os.Getgid() {
			t.Errorf("%s: %+v", path, f)
		}
		if age := time.Since(f.Written); !strings.HasPrefix(f.Data, "..20") || age < -time.Second || age > time.Minute {
			t.Errorf("%s: written %v, ..data %s", path, f.Written, f.Data)
		}
		r := Token(in[0].Text, now)
		r.At(f)
		text := tell(t, r)
		for _, want := range []string{"file            " + f.Path + "\n", "mode 0644, user ", "..data -> ..20"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is missing in\n%s", want, text)
			}
		}
		if got := names(r); !slices.Equal(got, []string{"readable"}) {
			t.Errorf("findings %v", got)
		}
	}
}

func TestSeveralTokens(t *testing.T) {
	in, err := Open(volume(t, map[string]string{"another": signed(header, claims) + "\n", "large": strings.Repeat("x", maxText+1)}))
	if err != nil || len(in) != 2 || filepath.Base(in[0].File.Path) != "another" || filepath.Base(in[1].File.Path) != "token" {
		t.Errorf("%v, %v", in, err)
	}
}

// A file that cannot be read does not hide those that can, nor is it hidden.
func TestOneOfTwo(t *testing.T) {
	dir := volume(t, nil)
	if err := os.Symlink("/proc/self/mem", filepath.Join(dir, "unreadable")); err != nil { // not even by root
		t.Fatal(err)
	}
	in, err := Open(dir)
	if len(in) != 1 || err == nil || !strings.Contains(err.Error(), "unreadable") && !strings.Contains(err.Error(), "/proc/self/mem") {
		t.Errorf("%v, %v", in, err)
	}
}

func TestCopy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	for mode, want := range map[os.FileMode][]string{0o600: {"no_volume"}, 0o640: {"no_volume"}, 0o604: {"no_volume", "readable"}} {
		write(t, path, signed(header, podClaims), mode)
		in, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		r := Token(in[0].Text, now)
		r.At(in[0].File)
		if got := names(r); !slices.Equal(got, want) || in[0].File.Data != "" || time.Since(in[0].File.Written) > time.Minute {
			t.Errorf("%o: findings %v, %+v", mode, got, in[0].File)
		}
	}
	// Other tokens are not a volume's.
	write(t, path, signed(header, claims), 0o600)
	in, _ := Open(path)
	r := Token(in[0].Text, now)
	r.At(in[0].File)
	if got := names(r); len(got) > 0 {
		t.Errorf("findings %v", got)
	}
}

func TestNothingToRead(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "ca.crt"), "x.y", 0o600)
	large := filepath.Join(t.TempDir(), "large")
	write(t, large, strings.Repeat("x", maxText+1), 0o600)
	many := t.TempDir()
	for i := range maxFiles + 1 {
		write(t, filepath.Join(many, strings.Repeat("f", i+1)), "", 0o600)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "no"): "no such file",
		dir:                      "is a token; it has: ca.crt",
		t.TempDir():              "it has: nothing else",
		large:                    "has more than 65536 bytes",
		many:                     "has more than 100 files",
	} {
		if in, err := Open(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v", path, in, err)
		}
	}
	if _, err := Read(strings.NewReader(strings.Repeat("x", maxText+1))); err == nil {
		t.Error("too much was read")
	}
}

// As of: sallyport inspect <(kubectl create token app)
func TestPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	go func() { _ = os.WriteFile(path, []byte("abc"), 0) }()
	in, err := Open(path)
	if err != nil || len(in) != 1 || in[0].Text != "abc" || in[0].File != nil {
		t.Errorf("%v, %v", in, err)
	}
}

func names(r *Report) (names []string) {
	for _, f := range r.Findings {
		names = append(names, f.Name)
	}
	return names
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}
