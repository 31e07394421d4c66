package config

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// tracesPath is where an OTLP receiver takes traces, unless it was told otherwise
// (OpenTelemetry Protocol 1.x, OTLP/HTTP Request).
const tracesPath = "/v1/traces"

// shareValue is what stands for a share in the help.
const shareValue = "SHARE"

// parseTraceEndpoint takes a collector's URL. Without a path it gets the usual one.
func parseTraceEndpoint(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return nil, errors.New("this is no URL: write it like http://127.0.0.1:4318")
	case u.User != nil:
		return nil, errors.New("there is a user name or password in it, and no credential is ever sent with traces: write it without")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("this does not begin with http:// or https://: write it like http://127.0.0.1:4318")
	case strings.ContainsAny(s, "?#"):
		return nil, fmt.Errorf("%q has a query or a fragment: write it without", s)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = tracesPath
	}
	return u, checkHost(u)
}

// share takes a number from 0 to 1.
func share(s string) (float64, error) {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f >= 0 && f <= 1) || strings.ContainsAny(s, "xX_") { // NaN is neither
		return 0, fmt.Errorf("%.64q is no share: write a number from 0 to 1, like 0.01", s)
	}
	return f, nil
}

// checkTraces: spans name callers.
func (l *loader) checkTraces() {
	u := l.config.TraceEndpoint
	switch {
	case u == nil && l.written("trace-sample") && !l.bad["trace-sample"] && !l.bad["trace-endpoint"]:
		l.fail(l.at("trace-sample"), "there is nowhere to send traces to: write --trace-endpoint URL, or take this away")
	case u != nil && u.Scheme == "http" && !isLoopback(u.Hostname()):
		l.warn(l.at("trace-endpoint"), "%s is on another machine and not encrypted: whoever can listen on the way sees who calls, and on which routes", u)
	}
}
