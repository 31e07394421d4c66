package proxy

import (
	"net/http"
	"strings"
)

// A kind of answer says when it ends with its credential, and how.
type kind uint8

const (
	waiting  kind = iota // no answer yet: 401
	plain                // ends when revoked, by a cut
	cutting              // a stream that can only be cut
	grpcBody             // gRPC that can be told, between two messages
	upgraded             // a WebSocket, which can be told between two frames
)

// kindOf returns the kind of an answer to r.
func kindOf(r *http.Request, res *http.Response) kind {
	media := strings.ToLower(res.Header.Get("Content-Type"))
	switch {
	case res.StatusCode == http.StatusSwitchingProtocols:
		return upgraded
	case strings.HasPrefix(media, "application/grpc"):
		// HTTP/1.1 has trailers that few read, and gRPC-Web others.
		if r.ProtoMajor == 2 && !strings.HasPrefix(media, "application/grpc-web") {
			return grpcBody
		}
		return cutting
	case strings.HasPrefix(media, "text/event-stream"):
		return cutting
	}
	return plain
}

// answer notes what kind of answer comes. Not ok means that it comes too late.
func (x *exchange) answer(res *http.Response) (ok bool) {
	f := &x.flight
	if f.streams == nil {
		return true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ending.Load() != nil {
		return false
	}
	if f.kind = kindOf(x.in, res); f.kind > plain {
		f.streams.open.Add(1)
	}
	if f.kind == grpcBody {
		f.messages = &messages{ReadCloser: res.Body, f: f, res: res, frames: frames{need: grpcHead}}
		res.Body = f.messages
	}
	return true
}

// isStream reports whether x ends when its token expires. Before there is an
// answer the request has to say so: a gRPC server may send nothing for long.
func (x *exchange) isStream() bool {
	x.flight.mu.Lock()
	defer x.flight.mu.Unlock()
	if x.flight.kind == waiting {
		return isGRPC(x.in.Header) || isWebSocket(x.in.Header)
	}
	return x.flight.kind != plain
}
