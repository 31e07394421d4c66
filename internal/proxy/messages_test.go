package proxy

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"sallyport/internal/authn"
)

// gRPC ends after the message that is under way, not before it and not later.
func TestMessagesEndAtBoundary(t *testing.T) {
	for _, tc := range []struct {
		name, before, after string // the credential's end
		err                 error  // of the body, then
		want                string
		status              bool
	}{
		{"at a boundary", "\x00\x00\x00\x00\x01a", "\x00\x00\x00\x00\x01b", nil, "", true},
		{"before any", "", "", context.Canceled, "", true},
		{"in a message", "\x00\x00\x00\x00\x02a", "b\x00\x00\x00\x00\x01c", nil, "b", true},
		{"in a head", "\x00\x00", "\x00\x00\x01b\x00", nil, "\x00\x00\x01b", true},
		{"in a message that stays so", "\x00\x00\x00\x00\x03a", "b", context.Canceled, "b", false},
		{"the app is first", "\x00\x00\x00\x00\x01a", "\x00\x00\x00\x00\x01b", io.EOF, "\x00\x00\x00\x00\x01b", false},
	} {
		body := &chunks{{tc.before, nil}, {tc.after, tc.err}}
		f, res := &flight{}, &http.Response{Trailer: http.Header{"Grpc-Status": {"0"}}}
		m := &messages{ReadCloser: body, f: f, res: res, frames: frames{need: grpcHead}}
		buf := make([]byte, 100)
		if n, err := m.Read(buf); string(buf[:n]) != tc.before || err != nil {
			t.Errorf("%s: %q %v before the end", tc.name, buf[:n], err)
		}
		f.ending.Store(newEnding(Revoked, authn.Revoked, time.Now()))
		n, err := m.Read(buf)
		wantErr := tc.err
		if tc.status {
			wantErr = io.EOF
		}
		if got := res.Trailer.Get("Grpc-Status"); string(buf[:n]) != tc.want || err != wantErr || (got == "16") != tc.status {
			t.Errorf("%s: %q %v, status %s", tc.name, buf[:n], err, got)
		}
	}
}

// chunks is a body that comes in pieces.
type chunks []struct {
	data string
	err  error
}

// Read implements io.Reader.
func (c *chunks) Read(p []byte) (int, error) {
	next := (*c)[0]
	*c = (*c)[1:]
	return copy(p, next.data), next.err
}

// Close implements io.Closer.
func (c *chunks) Close() error { return nil }
