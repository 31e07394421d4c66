package tokenfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"sallyport/internal/authn"
	"sallyport/internal/authn/jwt"
)

func options(h *house, core zapcore.Core) Options {
	return Options{
		Path:    h.v.Path("token"),
		Hints:   h.hints,
		Log:     zap.New(core),
		OnToken: func(t *jwt.Token) { h.seen = append(h.seen, t.Claims.ID) },
	}
}

func mustOpen(t *testing.T, o Options) *Source {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRotation(t *testing.T) {
	first := sign(`{"jti":"t1","exp":9000000000}`)
	inHouse(t, first, func(t *testing.T, h *house) {
		h.want(t, "at start", first, "info: own token loaded|token_id:t1|expires:")
		second := token("t2", time.Hour)
		h.write(second)
		h.wait()
		h.want(t, "rotated", second, "info: own token rotated|token_id:t2|old_token_id:t1")
		h.write(second + "\n") // other bytes, the same token
		h.wait()
		h.want(t, "written again", second)
		h.write(first)
		h.wait()
		h.want(t, "an older token wins too", first, "info: own token rotated|token_id:t1")
		if !slices.Equal(h.seen, []string{"t1", "t2", "t1"}) || h.Status().Rotations != 2 {
			t.Errorf("OnToken got %v, %d rotations", h.seen, h.Status().Rotations)
		}
	})
}

// What can be wrong with the file, each as it is for a while.
func TestBadFile(t *testing.T) {
	first, next := sign(`{"jti":"t1"}`), sign(`{"jti":"t2"}`)
	put := func(content string) func(*house) error {
		return func(h *house) error { h.write(content); return nil }
	}
	for name, tc := range map[string]struct {
		spoil func(*house) error
		line  string
	}{
		"empty":               {put(""), "the file is empty"},
		"only spaces":         {put(" \r\n\t"), "the file is empty"},
		"no JWT":              {put("hello"), "not a JWT: malformed: not three parts"},
		"torn in the claims":  {put(next[:50]), "not a JWT: malformed: not three parts"},
		"torn at the dot":     {put(next[:strings.LastIndex(next, ".")+1]), "not a JWT: malformed: the signature is empty"},
		"torn before the end": {put(next[:len(next)-4]), "shorter than the last one"},
		"no claims":           {put(sign("null")), "not a JWT: malformed"},
		"two tokens":          {put(sign("{}") + "\n" + sign("{}")), "not a JWT"},
		"too large":           {put(strings.Repeat("a", maxFile+1)), "more than 16386 bytes"},
		"a private key":       {put("-----BEGIN RSA PRIVATE KEY-----\n" + signature), "not a JWT"},
		"deleted":             {func(h *house) error { return os.Remove(h.v.Path("token")) }, "no such file"},
		"a folder": {func(h *house) error {
			return errors.Join(os.Remove(h.v.Path("token")), os.Mkdir(h.v.Path("token"), 0o700))
		}, "not a regular file"},
		"a dangling link": {func(h *house) error { return os.Remove(h.v.Path("..data")) }, "no such file"},
		"unmounted":       {func(h *house) error { h.v.Unmount(); return nil }, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			inHouse(t, first, func(t *testing.T, h *house) {
				h.want(t, "at start", first, "own token loaded")
				if err := tc.spoil(h); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				h.want(t, "for a minute", first, "warn: |the last good token stays|"+tc.line)
				st := h.Status()
				if !strings.Contains(st.LastError, tc.line) || st.ReadErrors < 60 || st.State != Fresh {
					t.Errorf("status = %+v", st)
				}
				_ = os.Remove(h.v.Path("token")) // a folder in its place would stay
				h.write(next)
				h.wait()
				h.want(t, "recovered", next, "info: the own token's file is good again", "info: own token rotated")
				if st := h.Status(); st.LastError != "" || st.Rotations != 1 {
					t.Errorf("status = %+v", st)
				}
			})
		})
	}
}

// The token that comes back may be the one that went.
func TestSameTokenIsBack(t *testing.T) {
	first := sign(`{"jti":"t1"}`)
	inHouse(t, first, func(t *testing.T, h *house) {
		h.logs.TakeAll()
		h.v.Unmount()
		h.wait()
		h.write(first)
		h.wait()
		h.want(t, "back", first, "warn: ", "info: the own token's file is good again")
		if st := h.Status(); st.Rotations != 0 || st.LastError != "" || len(h.seen) != 1 {
			t.Errorf("status = %+v, OnToken got %v", st, h.seen)
		}
	})
}

func TestMissingAtStart(t *testing.T) {
	inHouse(t, "", func(t *testing.T, h *house) {
		time.Sleep(time.Minute)
		h.wantLines(t, "for a minute", "warn: no own token yet: waiting|no such file|file:"+h.v.Path("token"))
		_, err := h.Token()
		if !errors.Is(err, authn.ErrUnavailable) || authn.ReasonOf(err) != authn.OwnToken || !strings.Contains(err.Error(), "no such file") {
			t.Errorf("Token: %v", err)
		}
		if st := h.Status(); st.State != Missing || !st.Loaded.IsZero() || st.LastError == "" {
			t.Errorf("status = %+v", st)
		}
		h.write("")
		time.Sleep(time.Minute)
		h.wantLines(t, "another problem", "warn: no own token yet: waiting|empty")
		first := token("t1", time.Hour)
		h.write(" " + first + "\r\n")
		h.wait()
		h.want(t, "there", first, "info: the own token's file is good again", "info: own token loaded|t1")
		if st := h.Status(); st.State != Fresh || st.Rotations != 0 || time.Since(st.Loaded) > time.Second {
			t.Errorf("status = %+v", st)
		}
	})
}

// Root reads every file, so the refusal is put in the place of the read.
func TestUnreadable(t *testing.T) {
	refused := &fs.PathError{Op: "open", Path: "token", Err: syscall.EACCES}
	s, err := open(Options{Path: "token"}, func(string, int) ([]byte, error) { return nil, refused })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Token(); authn.ReasonOf(err) != authn.OwnToken || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("Token: %v", err)
	}
}

func TestLargestToken(t *testing.T) {
	pad := func(n int) string { return sign(`{"x":"` + strings.Repeat("a", n) + `"}`) }
	fit := (authn.MaxToken-len(pad(0)))/4*3 - 9 // base64 makes 4 bytes of 3
	for len(pad(fit+1)) <= authn.MaxToken {
		fit++
	}
	path := filepath.Join(t.TempDir(), "token")
	for n, want := range map[int]State{fit: Fresh, fit + 4: Missing} {
		if err := os.WriteFile(path, []byte(pad(n)+"\r\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if st := mustOpen(t, Options{Path: path}).Status(); st.State != want {
			t.Errorf("%d bytes: %s (%s), want %s", len(pad(n)), st.State, st.LastError, want)
		}
	}
}

// A key's signatures have one length; another key's may be shorter.
func TestAnotherKeyMaySignShorter(t *testing.T) {
	first := sign(`{"jti":"t1"}`)
	inHouse(t, first, func(t *testing.T, h *house) {
		h.logs.TakeAll()
		parts := strings.Split(first, ".")
		next := "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsyIn0." + parts[1] + ".AAAA" // ES256, k2
		h.write(next)
		h.wait()
		h.want(t, "another key", next, "rotated")
	})
}

func TestReread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mustOpen(t, Options{Path: "/nonexistent"})
		for range 100 {
			s.Reread() // nobody runs, and nothing blocks
		}
		if len(s.wake) != 1 {
			t.Fatalf("%d reads asked for, want 1", len(s.wake))
		}
		<-s.wake
		time.Sleep(rereadEvery - time.Millisecond)
		if s.Reread(); len(s.wake) != 0 {
			t.Error("a second read within a second")
		}
		time.Sleep(time.Millisecond)
		if s.Reread(); len(s.wake) != 1 {
			t.Error("no read after a second")
		}
	})
}

func TestSoonerThanThePoll(t *testing.T) {
	for name, tell := range map[string]func(*house){
		"asked for": func(h *house) { h.Reread() },
		"hinted at": func(h *house) { h.hints <- struct{}{} },
	} {
		inHouse(t, sign(`{"jti":"t1"}`), func(t *testing.T, h *house) {
			h.logs.TakeAll()
			next := sign(`{"jti":"t2"}`)
			h.write(next)
			tell(h)
			synctest.Wait()
			h.want(t, name, next, "rotated")
		})
	}
}

// Whoever sees a token may rely on its issuer having been learnt.
func TestOnTokenComesFirst(t *testing.T) {
	content := sign(`{"jti":"t1"}`)
	var s *Source
	calls := 0
	o := Options{OnToken: func(*jwt.Token) {
		if calls++; s == nil {
			return // within Open
		}
		if got, err := s.Token(); err != nil || got == content {
			t.Errorf("Token returns the new token already, or %v", err)
		}
	}}
	s, _ = open(o, func(string, int) ([]byte, error) { return []byte(content), nil })
	content = sign(`{"jti":"t2"}`)
	s.look()
	if got, err := s.Token(); got != content || err != nil || calls != 2 {
		t.Errorf("not the new token after %d calls, or %v", calls, err)
	}
}

func TestErrorsHoldNoToken(t *testing.T) {
	raw := sign("{}")
	for _, content := range []string{raw + "." + raw, raw[:len(raw)/2], "x" + raw, raw + " " + raw} {
		s, _ := open(Options{Path: "token"}, func(string, int) ([]byte, error) { return []byte(content), nil })
		_, err := s.Token()
		if text := fmt.Sprintf("%v %+v", err, s.Status()); err == nil || strings.Contains(text, raw[:6]) || strings.Contains(text, raw[len(raw)-6:]) {
			t.Errorf("%q", text)
		}
	}
}

// A token that stands where its file's name belongs is no file's name.
func TestTokenAsName(t *testing.T) {
	token := sign("{}") + strings.Repeat("c2ln", 30)
	core, logs := observer.New(zap.DebugLevel)
	s, err := Open(Options{Path: token, Log: zap.New(core)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Token()
	text := fmt.Sprintf("%v %+v %v", err, s.Status(), logs.All())
	for _, e := range logs.All() {
		text += fmt.Sprint(e.ContextMap())
	}
	if err == nil || logs.Len() == 0 || strings.Contains(text, "c2lnc2ln") || !strings.Contains(text, "[...]") {
		t.Errorf("%s", text)
	}
}
