package admission

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// ClientAddress is the address of the client of a request. For a connection from a trusted
// proxy, it is the last address in X-Forwarded-For that is not a trusted proxy, because
// clients can forge the addresses before it. It is invalid when RemoteAddr is.
func ClientAddress(r *http.Request, proxies []netip.Prefix) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	client := peer.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !IsInNetworks(client, proxies) {
			break
		}
		next, ok := parseForwardedAddress(hop)
		if !ok {
			break // the last proxy with a valid entry counts as the client
		}
		client = next
	}
	return client
}

// parseForwardedAddress parses an address with or without a port, since some proxies add it.
func parseForwardedAddress(text string) (address netip.Addr, ok bool) {
	text = strings.TrimSpace(text)
	if address, err := netip.ParseAddr(text); err == nil {
		return address.Unmap().WithZone(""), true
	}
	addressPort, err := netip.ParseAddrPort(text)
	return addressPort.Addr().Unmap().WithZone(""), err == nil
}

// IsInNetworks reports whether an address is in one of the networks.
func IsInNetworks(address netip.Addr, networks []netip.Prefix) bool {
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(address) })
}
