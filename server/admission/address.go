package admission

import (
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
)

// ClientAddress is the address of whoever connected. Where that is a proxy of ours,
// it is the one that X-Forwarded-For names last and that is no proxy of ours:
// what stands before it anybody may have written.
func ClientAddress(r *http.Request, proxies []netip.Prefix) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	at := peer.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !IsInNetworks(at, proxies) {
			break
		}
		next, ok := parseHop(hop)
		if !ok {
			break // the last proxy that said something we understand counts
		}
		at = next
	}
	return at
}

// parseHop reads an address that some proxies write with its port.
func parseHop(hop string) (netip.Addr, bool) {
	hop = strings.TrimSpace(hop)
	if at, err := netip.ParseAddr(hop); err == nil {
		return at.Unmap().WithZone(""), true
	}
	at, err := netip.ParseAddrPort(hop)
	return at.Addr().Unmap().WithZone(""), err == nil
}

// IsInNetworks reports whether an address is in one of the networks.
func IsInNetworks(at netip.Addr, networks []netip.Prefix) bool {
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(at) })
}

// IsAllowedOrigin reports whether the host of an origin is as one of the
// patterns. The same origin needs no leave.
func IsAllowedOrigin(origin string, patterns []string) bool {
	u, err := url.Parse(origin)
	return err == nil && slices.ContainsFunc(patterns, func(p string) bool {
		name := u.Host
		if strings.Contains(p, "://") {
			name = u.Scheme + "://" + u.Host
		}
		ok, _ := path.Match(strings.ToLower(p), strings.ToLower(name)) // patterns are checked at start
		return ok
	})
}
