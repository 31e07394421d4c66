package doctor

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/netip"
	"time"

	"sallyport/internal/span"
)

// App judges a connection to the app, and the handshake where there is one.
func App(at string, err error) Line {
	var unverified *tls.CertificateVerificationError
	switch {
	case err == nil:
		return line(OK, "it accepts connections at %s", at)
	case errors.As(err, &unverified):
		return line(Failed, "%s has a certificate that we do not trust: %v", at, unverified.Err).fix("--upstream-ca-file and --upstream-server-name have to fit the app's certificate")
	}
	return line(Failed, "no connection at %s: %v", at, err).fix("start the app, and let it listen there; or write where it does as --upstream")
}

// Bypass judges where the app was found past the gate. Unknown are the addresses
// that could not be tried.
func Bypass(app string, found, unknown []netip.AddrPort, past []netip.AddrPort) Line {
	switch {
	case len(found) > 0:
		return line(Failed, "the app answers at %v too, past the gate: whoever reaches the pod needs no token, and can write identity headers", found).
			fix("let the app listen on %s alone", app)
	case len(unknown) > 0:
		return line(Warning, "it cannot be told whether the app answers at %v", unknown)
	}
	return line(OK, "nobody answers at %v", past)
}

// expiring is how long before its end a certificate is told: what renews them
// does so after two thirds of their life, so one in its last fifth was missed.
// Two weeks are enough for one that people renew.
const expiring = 14 * 24 * time.Hour

// Certificate judges the certificate that callers see.
func Certificate(file string, leaf *x509.Certificate, now time.Time) Line {
	const cure = "write a new pair to --tls-cert-file and --tls-key-file: they are read again by themselves"
	switch left := leaf.NotAfter.Sub(now); {
	case left <= 0:
		return line(Failed, "%s expired %s", file, span.Relative(leaf.NotAfter, now)).fix("%s", cure)
	case now.Before(leaf.NotBefore):
		return line(Failed, "%s is valid %s only", file, span.Relative(leaf.NotBefore, now)).fix("compare the clocks of this node and of who made it")
	case left < min(leaf.NotAfter.Sub(leaf.NotBefore)/5, expiring):
		return line(Warning, "%s expires %s", file, span.Relative(leaf.NotAfter, now)).fix("%s", cure)
	}
	return line(OK, "%s expires %s", file, span.Relative(leaf.NotAfter, now))
}

// Broken is a line about what cannot be used.
func Broken(err error, fix string) Line { return line(Failed, "%v", err).fix("%s", fix) }

// Warn is a line about what is allowed, and should be known.
func Warn(text, fix string) Line { return line(Warning, "%s", text).fix("%s", fix) }

// Well is a line about what is as it should be.
func Well(text string) Line { return line(OK, "%s", text) }
