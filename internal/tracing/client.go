package tracing

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

const (
	// sendTime bounds one request. A collector takes milliseconds; one that hangs
	// has the queue full in no time that matters to anybody.
	sendTime = 5 * time.Second
	// maxAnswer is in bytes. A good answer has none, or a few words.
	maxAnswer = 64 << 10
)

var errFull = errors.New("too many spans wait for the collector")

// A client is an [otlptrace.Client] over HTTP. (OpenTelemetry's own brings gRPC.)
type client struct {
	endpoint string
	agent    string
	http     *http.Client
	observe  func(Result, int, error)
	waiting  atomic.Int64
}

// newClient returns a client that follows no redirect and carries no credential.
func newClient(o Options) *client {
	return &client{
		endpoint: o.Endpoint.String(), agent: "sallyport/" + o.Version, observe: o.Observe,
		http: &http.Client{
			Timeout:       sendTime,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				Proxy:                  http.ProxyFromEnvironment,
				TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
				ForceAttemptHTTP2:      true,
				MaxIdleConnsPerHost:    1, // there is one batch at a time
				IdleConnTimeout:        30 * time.Second,
				MaxResponseHeaderBytes: maxAnswer,
			},
		},
	}
}

// Start implements [otlptrace.Client].
func (c *client) Start(context.Context) error { return nil }

// Stop implements [otlptrace.Client].
func (c *client) Stop(context.Context) error {
	c.http.CloseIdleConnections()
	return nil
}

// UploadTraces implements [otlptrace.Client]. It returns no error: the SDK would write
// it to standard error, once for each batch. Nor does it try again: what is lost is
// counted, and requests go on.
func (c *client) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	n := count(spans)
	defer c.waiting.Add(-int64(n))
	rejected, err := c.send(ctx, &tracepb.TracesData{ResourceSpans: spans})
	if err != nil {
		c.observe(Failed, n, err)
		return nil
	}
	if rejected = min(rejected, n); rejected > 0 {
		c.observe(Failed, rejected, errors.New("the collector would not have some of them"))
	}
	if sent := n - rejected; sent > 0 {
		c.observe(Sent, sent, nil)
	}
	return nil
}

func count(all []*tracepb.ResourceSpans) (n int) {
	for _, r := range all {
		for _, s := range r.GetScopeSpans() {
			n += len(s.GetSpans())
		}
	}
	return n
}

// send makes one request. TracesData is ExportTraceServiceRequest on the wire, whose
// package brings gRPC.
func (c *client) send(ctx context.Context, data *tracepb.TracesData) (rejected int, err error) {
	body, err := proto.Marshal(data)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header = http.Header{"Content-Type": {"application/x-protobuf"}, "User-Agent": {c.agent}}
	res, err := c.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	// The text of a failure is the collector's, and stays there.
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return 0, fmt.Errorf("the collector answers %d", res.StatusCode)
	}
	if err != nil {
		return 0, nil // it has them
	}
	return rejectedSpans(answer), nil
}

// rejectedSpans reads the one number of an ExportTraceServiceResponse that counts:
// partial_success is field 1, and its rejected_spans too. What makes no sense says
// nothing.
func rejectedSpans(answer []byte) int {
	partial, _ := protowire.ConsumeBytes(field1(answer, protowire.BytesType))
	n, size := protowire.ConsumeVarint(field1(partial, protowire.VarintType))
	if size < 0 || n > maxBatch {
		return 0
	}
	return int(n)
}

// field1 returns what begins with the value of a message's field 1, nil where it has
// none of that type.
func field1(message []byte, want protowire.Type) []byte {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return nil
		}
		message = message[n:]
		if number == 1 && kind == want {
			return message
		}
		if n = protowire.ConsumeFieldValue(number, kind, message); n < 0 {
			return nil
		}
		message = message[n:]
	}
	return nil
}
