// Package config holds what the operator asks for: flags and file parsed,
// defaulted and validated once, with every problem reported at once.
package config

import (
	"net/netip"
	"net/url"
	"time"
)

// A Config is complete and valid: nothing in it has to be checked or defaulted
// again.
type Config struct {
	// Upstream is the app.
	Upstream Upstream
	// PodIPs are the pod's addresses, and HostIPs its node's: the same with
	// hostNetwork. Both may be empty.
	PodIPs  []netip.Addr
	HostIPs []netip.Addr
	// BypassCheck says what it means if the app answers at PodIPs too.
	BypassCheck BypassCheck

	// Listen is the data listener, AdminListen the probes' and metrics', and
	// DebugListen the operator's: it is local.
	Listen      Address
	AdminListen Address
	DebugListen Address
	// TLS says how the data listener is protected.
	TLS TLS

	// Audiences are those that a token must have been made for, one of them at
	// least. Never empty.
	Audiences []string
	// APIAudiences are further audiences of the API server.
	APIAudiences []string
	Mode         Mode
	// Issuers are the cluster's. Empty means that they are learnt.
	Issuers []string
	// IssuerCAFile is trusted, beside the cluster's CA, for the API server's
	// discovery and keys; "" means the cluster's CA alone.
	IssuerCAFile string
	// JWT are the other issuers.
	JWT []JWT
	// Leeway is granted on exp, nbf and iat.
	Leeway time.Duration
	// KeyRefresh says how keys live.
	KeyRefresh KeyRefresh

	// TokenFile is our own projected token. TokenFileSet says that the operator
	// named it, and did not just get the default.
	TokenFile    string
	TokenFileSet bool
	// Kubeconfig says where the API server is; "" means in-cluster settings.
	Kubeconfig string

	Recheck         time.Duration
	WhenUnavailable Policy
	MaxStale        time.Duration
	// StaleTokens and LegacyTokens say what becomes of tokens that should have
	// been replaced, and of those that never end.
	StaleTokens  TokenPolicy
	LegacyTokens TokenPolicy
	// MaxTokenLifetime is the longest from iat to exp; zero means any.
	MaxTokenLifetime time.Duration
	// FinishStreams lets requests under way finish when their credential ends.
	FinishStreams bool

	// Routes are in order: the first that matches decides. Public paths given
	// as flags stand before those of the file.
	Routes []Route
	// ForwardAuthorization hands the caller's token to the app on the paths
	// that no route speaks of.
	ForwardAuthorization bool
	// ForwardOddPaths forwards a path that is not canonical, with a token,
	// instead of refusing it.
	ForwardOddPaths bool
	// TrustedPeers may send X-Forwarded-*, Forwarded and X-Real-Ip.
	TrustedPeers []netip.Prefix
	Headers      Headers

	Limits Limits

	DrainDelay    time.Duration
	ShutdownGrace time.Duration

	// CallerMetrics is how many callers have metrics of their own; zero means none.
	CallerMetrics int

	// TraceEndpoint takes spans, as OTLP over HTTP; nil means none.
	TraceEndpoint *url.URL
	// TraceSample is the share of the requests that are traced, of those that belong
	// to no trace.
	TraceSample float64

	LogLevel  string // debug, info, warn or error
	LogFormat string // json or console

	// Check says that the operator only wants to know whether all this is
	// valid.
	Check bool
	// Warnings are what is allowed but should be said aloud at start, one
	// sentence each.
	Warnings []string
}

// An Upstream is where the app listens and how to speak to it.
type Upstream struct {
	// URL has the scheme http, https, h2c or unix. Only unix has a path, the
	// socket's, as it stands in the file system; only the others have a host.
	URL *url.URL
	// CAFile and ServerName are for https alone; "" means the system's roots
	// and the URL's host.
	CAFile     string
	ServerName string
	// ResponseHeaderTimeout is the longest wait for the first byte of an
	// answer; zero means no limit. It never applies to upgrades, event streams
	// and gRPC.
	ResponseHeaderTimeout time.Duration
}

// TLS says how the data listener is protected.
type TLS struct {
	// Off says aloud that tokens may arrive in clear.
	Off bool
	// CertFile and KeyFile are both set or both empty. Empty means plain HTTP
	// and h2c, which Load allows on loopback and unix sockets, or if Off.
	CertFile string
	KeyFile  string
}

// A Mode says who decides about a token of the cluster.
type Mode string

// The modes.
const (
	Hybrid      Mode = "hybrid"      // proven here, then confirmed by the API server
	OIDC        Mode = "oidc"        // proven here
	TokenReview Mode = "tokenreview" // the API server decides
)

// A Policy says what happens while the API server gives no answer.
type Policy string

// The policies.
const (
	ServeConfirmed Policy = "serve-confirmed" // tokens confirmed before go on, for MaxStale
	Fail           Policy = "fail"            // nobody goes on
	ServeVerified  Policy = "serve-verified"  // the local check is enough
)

// A TokenPolicy says what becomes of a token that is good, and yet should not be
// in use any more.
type TokenPolicy string

// The policies.
const (
	AllowTokens  TokenPolicy = "allow"
	WarnTokens   TokenPolicy = "warn" // its caller is let in, and told
	RefuseTokens TokenPolicy = "refuse"
)

// A BypassCheck says what it means if the app can be reached past the gate.
type BypassCheck string

// What it can mean.
const (
	BypassWarns BypassCheck = "warn" // it is logged and counted
	BypassFails BypassCheck = "fail" // and the gate is not ready, nor before it has looked
	BypassOff   BypassCheck = "off"  // nobody looks
)

// A Route says what a path needs.
type Route struct {
	// Path is exact, or a prefix that ends in "/*".
	Path string
	// Methods are upper case; empty means all.
	Methods []string
	// Public needs no token.
	Public bool
	// ForwardAuthorization hands the caller's token to the app.
	ForwardAuthorization bool
}

// Headers are the names of the identity headers that the app gets, in
// canonical form.
type Headers struct {
	User        string // default X-Remote-User
	Group       string // default X-Remote-Group, one line a group
	UID         string // default X-Remote-Uid
	ExtraPrefix string // default X-Remote-Extra-
}

// KeyRefresh says how an issuer's keys live.
type KeyRefresh struct {
	// Interval is between two fetches; default 5 min.
	Interval time.Duration
	// Cooldown is the least time between two fetches for an unknown key id, and
	// between two readings of the discovery document for an unknown issuer;
	// default 10 s.
	Cooldown time.Duration
	// RemovalPause is the least time between the two good fetches that must
	// lack a key before it goes; default 60 s.
	RemovalPause time.Duration
}

// A JWT is another issuer, in the words of Kubernetes'
// AuthenticationConfiguration (apiserver.config.k8s.io/v1).
type JWT struct {
	URL          string // iss, and the discovery document's issuer
	DiscoveryURL string // the exact URL, where it is not below URL
	// CertificateAuthority is PEM; "" means the system's roots.
	CertificateAuthority string
	Audiences            []string
	Username             ClaimMapping
	// Groups and UID are optional: an empty Claim means none.
	Groups ClaimMapping
	UID    ClaimMapping
}

// A ClaimMapping maps a claim to a name.
type ClaimMapping struct {
	Claim  string
	Prefix string
}
