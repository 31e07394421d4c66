package config

import (
	"net/netip"
	"net/url"
	"time"
)

// The headings of the full help.
const (
	groupApp     = "The app"
	groupListen  = "Where callers come in"
	groupCallers = "Who is let in"
	groupCluster = "The API server"
	groupPaths   = "Paths and headers"
	groupLife    = "Starting, stopping, telling"
)

// timeValue is what stands for a duration in the help.
const timeValue = "TIME"

// PodToken is where Kubernetes mounts a pod's own token (ServiceAccount
// admission, pkg serviceaccount: DefaultAPITokenMountPath).
const PodToken = "/var/run/secrets/kubernetes.io/serviceaccount/token"

// DefaultDebugListen is where drain looks for serve.
const DefaultDebugListen = "127.0.0.1:9902"

// settings are in the order of the help. It is filled in init, since the
// setters reach the table through the loader.
var settings []setting

func init() {
	settings = append(settings, appSettings...)
	settings = append(settings, callerSettings...)
	settings = append(settings, listenSettings...)
	settings = append(settings, clusterSettings...)
	settings = append(settings, pathSettings...)
	settings = append(settings, limitSettings...)
	settings = append(settings, lifeSettings...)
}

var appSettings = []setting{
	{flag: "upstream", value: "URL", def: "http://127.0.0.1:8080", group: groupApp, common: true,
		help: "the app; http, https, h2c or unix:///path",
		set:  one(func(c *Config) **url.URL { return &c.Upstream.URL }, parseUpstream)},
	{flag: "upstream-ca-file", value: "FILE", learnt: "the system's", group: groupApp,
		help: "PEM roots for an https:// app",
		set:  one(func(c *Config) *string { return &c.Upstream.CAFile }, text)},
	{flag: "upstream-server-name", value: "NAME", learnt: "the URL's host", group: groupApp,
		help: "the name in an https:// app's certificate",
		set:  one(func(c *Config) *string { return &c.Upstream.ServerName }, text)},
	{flag: "bypass-check", field: "bypassCheck", value: "WHAT", def: string(BypassWarns), group: groupApp,
		help: "if the app answers at the pod's addresses too, past us: warn, fail (not ready), or off (do not look)",
		set:  one(func(c *Config) *BypassCheck { return &c.BypassCheck }, oneOf(BypassWarns, BypassFails, BypassOff))},
	{flag: "pod-ips", field: "podIPs", value: "IPS", group: groupApp, repeat: true,
		help: "where to look: status.podIPs, with commas; none: nobody looks",
		set:  setIPs(func(c *Config) *[]netip.Addr { return &c.PodIPs })},
	{flag: "host-ips", field: "hostIPs", value: "IPS", group: groupApp, repeat: true,
		help: "status.hostIPs; nobody looks where they are the pod's, as with hostNetwork",
		set:  setIPs(func(c *Config) *[]netip.Addr { return &c.HostIPs })},
}

var callerSettings = []setting{
	{flag: "audience", field: "audiences", value: "NAME", group: groupCallers, common: true, repeat: true,
		help: "what tokens must be made for; required",
		set:  list(func(c *Config) *[]string { return &c.Audiences }, text)},
	{flag: "mode", field: "mode", value: "MODE", def: string(Hybrid), group: groupCallers, common: true,
		help: "who decides: hybrid, oidc or tokenreview",
		set:  one(func(c *Config) *Mode { return &c.Mode }, oneOf(Hybrid, OIDC, TokenReview))},
	{flag: "issuer", field: "issuers", value: "URL", learnt: "learnt", group: groupCallers, common: true, repeat: true,
		help: "the cluster's issuer; others stand in --config",
		set:  list(func(c *Config) *[]string { return &c.Issuers }, issuerURL(true))},
	{flag: "api-audience", field: "apiAudiences", value: "NAME", learnt: "learnt", group: groupCallers, repeat: true,
		help: "a further audience of the API server, whose tokens are refused",
		set:  list(func(c *Config) *[]string { return &c.APIAudiences }, text)},
	// Kubernetes grants nothing on exp; go-jose's usual minute is the most that
	// clocks in one cluster can be apart without other things breaking first.
	{flag: "leeway", field: "leeway", value: timeValue, def: "60s", group: groupCallers,
		help: "granted on exp, nbf and iat, for clocks that differ; 0s to 60s",
		set:  period(func(c *Config) *time.Duration { return &c.Leeway }, 0, time.Minute)},
	// Below a second every live token is a standing load of more than one
	// review a second; beyond an hour most tokens would never be rechecked.
	{flag: "recheck", field: "recheck", value: timeValue, def: "30s", group: groupCallers, common: true,
		help: "the API server's yes is good for so long; 1s to 1h",
		set:  period(func(c *Config) *time.Duration { return &c.Recheck }, time.Second, time.Hour)},
	{flag: "when-unavailable", field: "whenUnavailable", value: "WHAT", def: string(ServeConfirmed), group: groupCallers,
		help: "while the API server gives no answer: serve-confirmed (tokens confirmed before go on), fail (none), serve-verified (the local check is enough)",
		set:  one(func(c *Config) *Policy { return &c.WhenUnavailable }, oneOf(ServeConfirmed, Fail, ServeVerified))},
	// A day is how long keys that cannot be refreshed are believed, too.
	{flag: "max-stale", field: "maxStale", value: timeValue, def: "10m", group: groupCallers,
		help: "the longest that serve-confirmed goes on; 0s to 24h",
		set:  period(func(c *Config) *time.Duration { return &c.MaxStale }, 0, 24*time.Hour)},
	{flag: "stale-tokens", field: "staleTokens", value: "WHAT", def: string(WarnTokens), group: groupCallers,
		help: "the API server's tokens that were extended to a year and should have been replaced: allow, warn (a header tells the caller) or refuse",
		set:  one(func(c *Config) *TokenPolicy { return &c.StaleTokens }, oneOf(AllowTokens, WarnTokens, RefuseTokens))},
	{flag: "legacy-tokens", field: "legacyTokens", value: "WHAT", def: string(RefuseTokens), group: groupCallers,
		help: "service account tokens kept in Secrets, which never end: refuse, warn or allow; the latter two need an API server's audience as --audience, and its word",
		set:  one(func(c *Config) *TokenPolicy { return &c.LegacyTokens }, oneOf(AllowTokens, WarnTokens, RefuseTokens))},
	// A year is the longest that an API server gives unless told otherwise, and a
	// day far more than a token needs that is replaced by itself.
	{flag: "max-token-lifetime", field: "maxTokenLifetime", value: timeValue, def: "24h", group: groupCallers,
		help: "the longest from iat to exp, for an extended token to where it is stale; 0s (any) to 8760h",
		set:  period(func(c *Config) *time.Duration { return &c.MaxTokenLifetime }, 0, 8760*time.Hour)},
	{flag: "on-credential-end", field: "onCredentialEnd", value: "WHAT", def: "close", group: groupCallers,
		help: "requests under way whose token is revoked, and streams whose token expires: close, or let them finish",
		set:  one(func(c *Config) *bool { return &c.FinishStreams }, parseCredentialEnd)},
}

var listenSettings = []setting{
	{flag: "listen", field: "listen", value: "ADDRESS", def: ":8443", group: groupListen, common: true,
		help: "data listener; or unix:///path",
		set:  one(func(c *Config) *Address { return &c.Listen }, ParseAddress)},
	{flag: "tls-cert-file", field: "tlsCertFile", value: "FILE", group: groupListen, common: true,
		help: "certificate, reloaded when it changes",
		set:  one(func(c *Config) *string { return &c.TLS.CertFile }, text)},
	{flag: "tls-key-file", field: "tlsKeyFile", value: "FILE", group: groupListen, common: true,
		help: "its key, reloaded too",
		set:  one(func(c *Config) *string { return &c.TLS.KeyFile }, text)},
	{flag: "tls", field: "tls", value: "auto|off", def: "auto", group: groupListen, common: true,
		help: "off: plain HTTP beyond loopback, tokens in clear",
		set:  one(func(c *Config) *bool { return &c.TLS.Off }, parseTLS)},
	{flag: "admin-listen", field: "adminListen", value: "ADDRESS", def: ":9901", group: groupListen,
		help: "/startupz, /livez, /readyz and /metrics",
		set:  one(func(c *Config) *Address { return &c.AdminListen }, ParseAddress)},
	{flag: "debug-listen", field: "debugListen", value: "ADDRESS", def: DefaultDebugListen, group: groupListen,
		help: "status page, drain, log level, profiles; loopback or unix:///path only",
		set:  one(func(c *Config) *Address { return &c.DebugListen }, ParseAddress)},
}

var clusterSettings = []setting{
	{flag: "token-file", field: "tokenFile", value: "FILE", def: PodToken, learnt: "the pod's mounted token", group: groupCluster,
		help: "our own projected token, for TokenReview, discovery and keys",
		set:  one(func(c *Config) *string { return &c.TokenFile }, text)},
	{flag: "kubeconfig", field: "kubeconfig", value: "FILE", learnt: "in-cluster settings", group: groupCluster,
		help: "where the API server is; its credentials are used only without a token file",
		set:  one(func(c *Config) *string { return &c.Kubeconfig }, text)},
	{flag: "issuer-ca-file", field: "issuerCAFile", value: "FILE", learnt: "the cluster's CA alone", group: groupCluster,
		help: "PEM roots, trusted beside the cluster's CA for the API server's discovery and keys",
		set:  one(func(c *Config) *string { return &c.IssuerCAFile }, text)},
}

var pathSettings = []setting{
	{flag: "public-path", field: "publicPaths", value: "PATH", group: groupPaths, common: true, repeat: true,
		help: "needs no token; exact, or a prefix ending in /*",
		set:  setPublicPaths},
	{flag: "forward-authorization", field: "forwardAuthorization", def: "false", group: groupPaths,
		help: "hand the caller's token to the app",
		set:  one(func(c *Config) *bool { return &c.ForwardAuthorization }, boolean)},
	{flag: "odd-paths", field: "oddPaths", value: "WHAT", def: "refuse", group: groupPaths,
		help: "paths with //, dot segments or encoded slashes: refuse, or forward those that come with a good token",
		set:  one(func(c *Config) *bool { return &c.ForwardOddPaths }, parseOddPaths)},
	{flag: "trusted-peers", field: "trustedPeers", value: "CIDR", group: groupPaths, repeat: true,
		help: "networks or addresses whose X-Forwarded-*, Forwarded and X-Real-Ip are kept and extended",
		set:  list(func(c *Config) *[]netip.Prefix { return &c.TrustedPeers }, peer)},
}

// The upper bounds of drain-delay and shutdown-grace are there to catch a slip,
// like 5h for 5s.
var lifeSettings = []setting{
	{flag: "drain-delay", field: "drainDelay", value: timeValue, def: "5s", group: groupLife,
		help: "not ready for so long before the listener closes; 0s to 10m",
		set:  period(func(c *Config) *time.Duration { return &c.DrainDelay }, 0, 10*time.Minute)},
	{flag: "shutdown-grace", field: "shutdownGrace", value: timeValue, def: "25s", group: groupLife,
		help: "then the longest wait for requests in flight; 0s to 1h",
		set:  period(func(c *Config) *time.Duration { return &c.ShutdownGrace }, 0, time.Hour)},
	// Each has six series of its own, in every gate: ten thousand are what a scrape
	// of a few MB can carry.
	{flag: "caller-metrics", field: "callerMetrics", value: "N", def: "0", group: groupLife,
		help: "how many callers have metrics of their own; the others share one; 0 to 10000",
		set:  one(func(c *Config) *int { return &c.CallerMetrics }, number(0, 10000))},
	{flag: "log-level", field: "logLevel", value: "LEVEL", def: "info", group: groupLife,
		help: "debug, info, warn or error",
		set:  one(func(c *Config) *string { return &c.LogLevel }, ParseLogLevel)},
	{flag: "log-format", field: "logFormat", value: "FORMAT", def: "json", group: groupLife,
		help: "json or console",
		set:  one(func(c *Config) *string { return &c.LogFormat }, oneOf("json", "console"))},
	{flag: "trace-endpoint", field: "traceEndpoint", value: "URL", group: groupLife,
		help: "send traces to this OpenTelemetry collector, as OTLP over HTTP; https, or http",
		set:  one(func(c *Config) **url.URL { return &c.TraceEndpoint }, parseTraceEndpoint)},
	// One in a hundred shows what requests are like, at no cost that shows.
	{flag: "trace-sample", field: "traceSample", value: shareValue, def: "0.01", group: groupLife,
		help: "how many requests are traced of those whose callers send no traceparent; 0 to 1",
		set:  one(func(c *Config) *float64 { return &c.TraceSample }, share)},
	{flag: "config", value: "FILE", group: groupLife, common: true,
		help: "YAML with all of this; flags win",
		set:  func(*loader, []written) {}},
	{flag: "check", def: "false", group: groupLife, common: true,
		help: "validate, say what is wrong, and exit",
		set:  one(func(c *Config) *bool { return &c.Check }, boolean)},
}

func parseTLS(s string) (off bool, err error) {
	word, err := oneOf("auto", "off")(s)
	return word == "off", err
}

func parseCredentialEnd(s string) (finish bool, err error) {
	word, err := oneOf("close", "finish")(s)
	return word == "finish", err
}

func parseOddPaths(s string) (forward bool, err error) {
	word, err := oneOf("refuse", "forward")(s)
	return word == "forward", err
}
