package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"time"
)

// node is one of the servers of a list, or the endpoint of its metrics.
type node struct {
	url     string
	host    string         // with the port
	address netip.AddrPort // resolved once: the checked address is also the dialled one
}

// resolveServers resolves the servers and their metrics.
func (o *options) resolveServers(ctx context.Context) (err error) {
	if o.nodes, err = o.resolveAndCheckNodes(ctx, o.URLs, "ws"); err != nil {
		return fmt.Errorf("--url: %w", err)
	}
	if o.metrics, err = o.resolveAndCheckNodes(ctx, o.MetricsURLs, "http"); err != nil {
		return fmt.Errorf("--metrics: %w", err)
	}
	isBalancer := len(o.nodes) == 1 // of any number of nodes
	if n := len(o.metrics); n > 1 && n != len(o.nodes) && !isBalancer {
		return fmt.Errorf("--metrics: there are %d: must be one, or one for each of the %d servers", n, len(o.nodes))
	}
	return nil
}

// resolveAndCheckNodes resolves URLs. It refuses hosts that are not loopback, unless the
// options allow them.
func (o *options) resolveAndCheckNodes(ctx context.Context, urls []string, scheme string) (nodes []node, err error) {
	for _, rawURL := range urls {
		n := node{url: rawURL}
		if n.host, n.address, err = resolveURL(ctx, rawURL, scheme); err != nil {
			return nil, err
		}
		if err = checkLoopback(n.address, o.AllowsRemote); err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

// checkLoopback refuses addresses of other hosts, unless they are allowed.
func checkLoopback(address netip.AddrPort, allowsRemote bool) error {
	if !allowsRemote && !address.Addr().IsLoopback() {
		return fmt.Errorf("%s is not loopback: a load test can take a host down; give --i-own-this-host if it is yours", address.Addr())
	}
	return nil
}

func resolveURL(ctx context.Context, rawURL, scheme string) (host string, address netip.AddrPort, err error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return "", address, err
	}
	if u.Scheme != scheme || u.Hostname() == "" {
		return "", address, fmt.Errorf("invalid URL %q: must begin with %s://", rawURL, scheme)
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	portNumber, err := net.DefaultResolver.LookupPort(ctx, "tcp", port)
	if err != nil {
		return "", address, err
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return "", address, err
	}
	best := found[0].Unmap()
	for _, addr := range found {
		if addr = addr.Unmap(); addr.Is4() { // loopback has many of them
			best = addr
			break
		}
	}
	return u.Host, netip.AddrPortFrom(best.WithZone(""), uint16(portNumber)), nil
}

// minAnchorsAtOnce is how many anchors must be on air at once: all, or where
// broadcasts end, half of the expected number.
func (o *options) minAnchorsAtOnce() int {
	if o.AnchorLife == 0 {
		return o.Anchors
	}
	return int(float64(o.Anchors) / 2 * float64(o.AnchorLife) / float64(o.AnchorLife+o.RestTime))
}

// maxViewersWithoutListAtOnce is how many viewers may be without a list at any time. Slow
// ones may need the whole run for their first list.
func (o *options) maxViewersWithoutListAtOnce() int {
	return int(float64(o.Viewers)*min(1, o.AwayShare+o.SlowShare)) + o.Views
}

func (o *options) hasManyNodes() bool { return len(o.nodes) > 1 }

// answerTimeout is how long a client waits for admission or an answer: less where
// there is another node.
func (o *options) answerTimeout() time.Duration {
	if o.hasManyNodes() {
		return 10 * time.Second
	}
	return 30 * time.Second
}

// route is a client's way over the nodes: the node of its latest socket, and the step
// to the next.
type route struct{ node, step int }

// clientRoute returns the route of the i-th client, one step before its first node. Half of
// the clients go up, half down, so that those of one node do not all meet at the next.
// The clients of each view begin at all nodes.
func (o *options) clientRoute(index int) route {
	round := index / o.Views
	step := 1 - round%2*2
	return route{node: o.nextNode(route{round + index%o.Views, -step}), step: step}
}

func (o *options) nextNode(r route) (node int) {
	return (r.node + r.step + len(o.nodes)) % len(o.nodes)
}
