package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
)

// resolveURL is an address of a server, looked up once: what was judged to be
// loopback is what is then connected to.
func resolveURL(ctx context.Context, raw string, schemes ...string) (host string, addr netip.AddrPort, err error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", addr, err
	}
	ok := false
	for _, s := range schemes {
		ok = ok || u.Scheme == s
	}
	if !ok || u.Hostname() == "" {
		return "", addr, fmt.Errorf("%q is no address that begins with %s://", raw, schemes[0])
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	n, err := net.DefaultResolver.LookupPort(ctx, "tcp", port)
	if err != nil {
		return "", addr, err
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return "", addr, err
	}
	best := found[0].Unmap()
	for _, a := range found {
		if a = a.Unmap(); a.Is4() { // of which there are many on loopback
			best = a
			break
		}
	}
	return u.Host, netip.AddrPortFrom(best.WithZone(""), uint16(n)), nil
}

// checkLoopback refuses what is not on this machine, unless somebody vouches for it.
func checkLoopback(addr netip.AddrPort, owned bool) error {
	if !owned && !addr.Addr().IsLoopback() {
		return fmt.Errorf("%s is not loopback: a load test can take a host down; say --i-own-this-host if it is yours", addr.Addr())
	}
	return nil
}
