package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// maxIPs is several times what Kubernetes gives a pod, one of each family. Each
// is dialled once a minute, for a second at most.
const maxIPs = 8

// setIPs reads addresses as the downward API writes them: with commas, or none at
// all. A pod without an address must not keep the gate from starting.
func setIPs(field func(*Config) *[]netip.Addr) func(*loader, []written) {
	return func(l *loader, ws []written) {
		var ips []netip.Addr
		for _, w := range ws {
			for s := range strings.SplitSeq(w.text, ",") {
				if s == "" && w.text == "" {
					continue
				}
				ip, err := podIP(s)
				if err != nil {
					l.fail(w.where, "%v", err)
					return
				}
				if !slices.Contains(ips, ip) {
					ips = append(ips, ip)
				}
			}
		}
		if len(ips) > maxIPs {
			l.fail(ws[0].where, "there are %d of them: write at most %d", len(ips), maxIPs)
			return
		}
		*field(l.config) = ips
	}
}

func podIP(s string) (netip.Addr, error) {
	ip, err := netip.ParseAddr(s)
	switch {
	case strings.HasPrefix(s, "$("):
		return ip, fmt.Errorf("%q was not replaced: give the container this variable, from the downward API", s)
	case err != nil || ip.Zone() != "":
		return ip, fmt.Errorf("%q is no IP address: write it like 10.1.2.3 or fd00::3", s)
	case ip.IsUnspecified() || ip.IsMulticast():
		return ip, fmt.Errorf("%s is no pod's or node's address: write theirs", ip)
	}
	return ip.Unmap(), nil
}
