package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// maxList is the longest list of names. Kubernetes' own limit for jwt is 64,
// and nothing here is meant to be longer.
const maxList = 64

// text is any string that an operator would write.
func text(s string) (string, error) {
	switch {
	case s == "":
		return "", errors.New("this is empty: write a value, or take it away")
	case strings.TrimSpace(s) != s || hasControl(s):
		return "", fmt.Errorf("%q begins or ends with a space, or has a control character: write it without", s)
	}
	return s, nil
}

func boolean(s string) (bool, error) {
	switch s {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither true nor false: write one of them", s)
}

// ParseLogLevel reads debug, info, warn or error.
func ParseLogLevel(s string) (string, error) {
	return oneOf("debug", "info", "warn", "error")(s)
}

// oneOf takes the words of a closed list.
func oneOf[T ~string](words ...T) func(string) (T, error) {
	return func(s string) (T, error) {
		if slices.Contains(words, T(s)) {
			return T(s), nil
		}
		all := make([]string, len(words))
		for i, w := range words {
			all[i] = string(w)
		}
		last := len(all) - 1
		return "", fmt.Errorf("%q is not known: write %s or %s", s, strings.Join(all[:last], ", "), all[last])
	}
}

// duration takes durations between two bounds, both included.
func duration(least, most time.Duration) func(string) (time.Duration, error) {
	return func(s string) (time.Duration, error) {
		d, err := time.ParseDuration(s)
		if seconds, bare := time.ParseDuration(s + "s"); err != nil && bare == nil {
			if seconds < least || seconds > most {
				return 0, fmt.Errorf("%s has no unit: write %s to %s", s, short(least), short(most))
			}
			return 0, fmt.Errorf("%s has no unit: write %ss, or ms, m, h instead of s", s, s)
		}
		if err != nil {
			return 0, fmt.Errorf("%q is no duration: write a number and a unit, like %s", s, short(most))
		}
		if d < least || d > most {
			return 0, fmt.Errorf("%s is out of bounds: write %s to %s", s, short(least), short(most))
		}
		return d, nil
	}
}

// short is a duration without the zeros at its end: 1h and not 1h0m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// issuerURL is what a token's iss is compared with, byte by byte, so it is kept
// as written. OpenID Connect Discovery 1.0 section 4 has the rules. plain
// allows http on loopback, which only a test cluster has.
func issuerURL(plain bool) func(string) (string, error) {
	return func(s string) (string, error) {
		u, err := url.Parse(s)
		switch {
		case strings.ContainsFunc(s, isNotOfURL):
			return "", errors.New("there is a space, a control character or one beyond ASCII in it, and no URL has one: write the iss of its tokens")
		case err != nil:
			return "", errors.New("this is no URL: write it as https://host/path")
		case u.Scheme == "http" && plain && isLoopback(u.Hostname()):
		case u.Scheme != "https":
			return "", fmt.Errorf("%q does not begin with https://: keys that come over anything else prove nothing", u.Redacted())
		case !strings.HasPrefix(s, "https://"):
			return "", fmt.Errorf("%q is not the usual form: write https:// in lower case", u.Redacted())
		}
		if u.User != nil {
			return "", errors.New("there is a user name or password in it: write it without")
		}
		if strings.ContainsAny(s, "?#") {
			return "", fmt.Errorf("%q has a query or a fragment: write it without", s)
		}
		return s, checkHost(u)
	}
}

// isNotOfURL reports whether r stands in no URL, escaped as it has to be (RFC 3986,
// section 2). net/url takes spaces and more in a path.
func isNotOfURL(r rune) bool { return r <= ' ' || r > '~' }

// peer takes a network, or an address that stands for itself alone.
func peer(s string) (netip.Prefix, error) {
	if ip, err := netip.ParseAddr(s); err == nil && ip.Zone() == "" {
		return netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return p, fmt.Errorf("%q is no network: write it like 10.0.0.0/8 or fd00::/8, or one address", s)
	case p.Addr().Is4In6():
		return p, fmt.Errorf("%q mixes IPv6 and IPv4: write it as IPv4, like 10.0.0.0/8", s)
	case p != p.Masked():
		return p, fmt.Errorf("%q has bits set behind its length: write %s", s, p.Masked())
	}
	return p, nil
}
