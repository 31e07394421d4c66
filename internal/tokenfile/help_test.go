package tokenfile

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"sallyport/internal/filewatch"
	"sallyport/internal/filewatch/volumetest"
)

// signature is what must be nowhere but in the token.
const signature = "s3cr3tSignature"

// sign returns a token with these claims, and nobody's signature.
func sign(claims string) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"RS256","kid":"k1"}`)) + "." + enc([]byte(claims)) + "." + enc([]byte(signature))
}

// token returns a token with this id that was issued now and lives for life.
func token(id string, life time.Duration) string {
	now := time.Now()
	return sign(fmt.Sprintf(`{"iss":"https://issuer","jti":%q,"iat":%d,"exp":%d}`, id, now.Unix(), now.Add(life).Unix()))
}

// A house is a Source that runs in a bubble, and gets no hint that the test does
// not give.
type house struct {
	*Source
	v     *volumetest.Volume
	logs  *observer.ObservedLogs
	hints chan struct{}
	// opened is when the file was read for the first time.
	opened time.Time
	seen   []string // ids that OnToken got
}

// inHouse runs test in a bubble. The volume holds first, or does not exist.
func inHouse(t *testing.T, first string, test func(t *testing.T, h *house)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.DebugLevel)
		h := &house{v: volumetest.New(t), logs: logs, hints: make(chan struct{}, 1)}
		if first != "" {
			h.write(first)
		}
		h.opened = time.Now()
		h.Source = mustOpen(t, options(h, core))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- h.Run(ctx) }()
		// The test acts between two polls and never at the instant of one.
		time.Sleep(filewatch.Interval / 5)
		test(t, h)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
		wantNoSecret(t, logs)
	})
}

func (h *house) write(content string) { h.v.Write(map[string]string{"token": content}) }

// wait lets the second pass within which a change has to be in force.
func (h *house) wait() {
	time.Sleep(time.Second)
	synctest.Wait()
}

// want checks the current token and the lines logged since the last call.
func (h *house) want(t *testing.T, what, token string, lines ...string) {
	t.Helper()
	if got, err := h.Token(); err != nil || got != token {
		t.Errorf("%s: another token, or %v", what, err)
	}
	h.wantLines(t, what, lines...)
}

func (h *house) wantLines(t *testing.T, what string, lines ...string) {
	t.Helper()
	all := h.logs.All()
	got := make([]string, 0, len(all))
	for _, e := range all {
		got = append(got, fmt.Sprintf("%s: %s %v", e.Level, e.Message, e.ContextMap()))
	}
	wantNoSecret(t, h.logs)
	h.logs.TakeAll()
	ok := len(got) == len(lines)
	for i := 0; ok && i < len(got); i++ {
		for _, part := range strings.Split(lines[i], "|") {
			ok = ok && strings.Contains(got[i], part)
		}
	}
	if !ok {
		t.Errorf("%s: logged\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(lines, "\n"))
	}
}

func wantNoSecret(t *testing.T, logs *observer.ObservedLogs) {
	t.Helper()
	secret := base64.RawURLEncoding.EncodeToString([]byte(signature))
	for _, e := range logs.All() {
		line := fmt.Sprint(e.Message, e.ContextMap())
		if strings.Contains(line, secret[:8]) || strings.Contains(line, "eyJ") {
			t.Errorf("a part of a token is logged: %s", line)
		}
	}
}
