package main

import (
	"context"
	"fmt"
	"net/netip"
	"time"
)

// node is one of the servers, which serve one list together, or the place where
// one tells its metrics.
type node struct {
	url     string
	host    string
	address netip.AddrPort // looked up once
}

// resolveNodes looks servers up, and refuses other people's.
func (o *options) resolveNodes(ctx context.Context, urls []string, scheme string) (out []node, err error) {
	for _, url := range urls {
		n := node{url: url}
		if n.host, n.address, err = resolveURL(ctx, url, scheme); err != nil {
			return nil, err
		}
		if err = checkLoopback(n.address, o.AllowsRemote); err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

// resolveServers looks the servers and their metrics up.
func (o *options) resolveServers(ctx context.Context) (err error) {
	if o.nodes, err = o.resolveNodes(ctx, o.URLs, "ws"); err != nil {
		return fmt.Errorf("--url: %w", err)
	}
	if o.metrics, err = o.resolveNodes(ctx, o.MetricsURLs, "http"); err != nil {
		return fmt.Errorf("--metrics: %w", err)
	}
	switch len(o.metrics) {
	case 0, 1, len(o.nodes):
		return nil
	}
	return fmt.Errorf("--metrics: there are %d, give one, or one for each of the %d servers", len(o.metrics), len(o.nodes))
}

// minAnchorsAtOnce is how many anchors must at least be on air together: half of those
// who would be, between broadcasts, or all.
func (o *options) minAnchorsAtOnce() int {
	if o.AnchorLife == 0 {
		return o.Anchors
	}
	return int(float64(o.Anchors) / 2 * float64(o.AnchorLife) / float64(o.AnchorLife+o.RestTime))
}

// hasManyNodes reports that there is another node to go to.
func (o *options) hasManyNodes() bool { return len(o.nodes) > 1 }

// answerTimeout is how long a client waits to be let in, or for an answer: not so
// long where there is another node to ask.
func (o *options) answerTimeout() time.Duration {
	if o.hasManyNodes() {
		return 10 * time.Second
	}
	return 30 * time.Second
}

// firstNode is how the i-th client goes about the nodes: up or down, so that not all
// of one node meet at the next, and from before which it begins with. The clients
// of a view begin at all.
func (o *options) firstNode(i int) (node, step int) {
	round := i / o.Views
	step = 1 - round%2*2
	return o.nextNode(round+i%o.Views, -step), step
}

// nextNode is the node that a client goes to next.
func (o *options) nextNode(node, step int) int {
	return (node + step + len(o.nodes)) % len(o.nodes)
}
