package bypass

import (
	"net"
	"net/netip"
)

// Past returns where an app with that port would be reached past the gate: at
// each of the pod's addresses, but for those at which one of our own listeners
// would answer.
func Past(pod []netip.Addr, port uint16, own []net.Addr) []netip.AddrPort {
	var past []netip.AddrPort
	for _, ip := range pod {
		if at := netip.AddrPortFrom(ip, port); !covered(at, own) {
			past = append(past, at)
		}
	}
	return past
}

// covered reports whether one of the listeners has the address. An unspecified
// one has all, of both families: [net.Listen].
func covered(at netip.AddrPort, own []net.Addr) bool {
	for _, a := range own {
		tcp, ok := a.(*net.TCPAddr)
		if !ok || tcp.AddrPort().Port() != at.Port() {
			continue
		}
		if ip := tcp.AddrPort().Addr().Unmap(); tcp.IP == nil || ip.IsUnspecified() || ip == at.Addr() {
			return true
		}
	}
	return false
}
