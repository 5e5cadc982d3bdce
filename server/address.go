package main

import (
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"

	"onair/hub/wire"
)

// addressOf is the address of whoever connected. Where that is a proxy of ours,
// it is the one that X-Forwarded-For names last and that is no proxy of ours:
// what stands before it anybody may have written.
func (s *server) addressOf(r *http.Request) string {
	return clientAddress(r, s.now().cfg.Proxies).String()
}

func clientAddress(r *http.Request, proxies []netip.Prefix) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	at := peer.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !inNetworks(at, proxies) {
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

func inNetworks(at netip.Addr, networks []netip.Prefix) bool {
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(at) })
}

// originAllowed reports whether the host of an origin is as one of the
// patterns. The same origin needs no leave.
func originAllowed(origin string, patterns []string) bool {
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

// foreign refuses what a page of another origin has a browser do in its
// visitors' name: who may look on without a token could else be made to like
// and to watch.
func (s *server) foreign(r *http.Request) *wire.Error {
	origin := r.Header.Get("Origin")
	u, err := url.Parse(origin)
	if origin == "" || err == nil && strings.EqualFold(u.Host, r.Host) || originAllowed(origin, s.now().cfg.CORS) {
		return nil
	}
	return refuse(wire.CodeForbidden, "pages of this origin may not do this: see cors")
}
