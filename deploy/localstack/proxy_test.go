package main

import (
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
)

// TestProxyRefusals: a request that all nodes refuse takes no node out of service. Full
// nodes still get callbacks. No log has the secret in a callback's path. The nodes are
// fakes.
func TestProxyRefusals(t *testing.T) {
	s := newUnstartedStack(t)
	s.client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	addrs := s.addrs
	var full atomic.Bool
	var callbacks atomic.Int64
	nodes := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		callback := strings.HasPrefix(r.URL.Path, "/v1/hooks/")
		switch {
		case r.URL.Path == "/v1/anchor", r.URL.Path == "/readyz" && full.Load(),
			callback && callbacks.Add(1)%2 == 1: // refuse each callback once
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})}
	for _, address := range []string{addrs.nodes[0].api, addrs.nodes[0].ops, addrs.nodes[1].api, addrs.nodes[1].ops} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		go nodes.Serve(l)
	}
	defer nodes.Close()
	if err := os.Mkdir(s.path("temp"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.copyFile("haproxy.cfg", "haproxy.cfg"); err != nil {
		t.Fatal(err)
	}
	if err := s.startBalancer(s.ctx); err != nil {
		t.Fatal(err)
	}
	s.proxies = map[string]string{"haproxy": addrs.balancer, "nginx": s.startNginxProxy()}

	const secret = "keep-me-out-of-logs"
	status := func(proxy, method, path string) int {
		res, _ := s.request("", method, "http://"+s.proxies[proxy]+path, "")
		return res.StatusCode
	}
	for proxy := range s.proxies {
		for range 3 {
			if got := status(proxy, http.MethodGet, "/v1/anchor"); got != http.StatusServiceUnavailable {
				t.Errorf("%s: an anchor that all nodes refuse: %d", proxy, got)
			}
			if got := status(proxy, http.MethodGet, "/v1/streams"); got != http.StatusOK {
				t.Errorf("%s: the list after a refusal: %d", proxy, got)
			}
		}
	}
	full.Store(true)
	s.await("the balancer to detect full nodes", func() bool {
		return status("haproxy", http.MethodGet, "/v1/streams") == http.StatusServiceUnavailable
	})
	for proxy := range s.proxies {
		if got := status(proxy, http.MethodPost, "/v1/hooks/nginx-rtmp/"+secret); got != http.StatusOK {
			t.Errorf("%s: a callback with full nodes: %d", proxy, got)
		}
	}
	nodes.Close()
	for proxy := range s.proxies {
		if got := status(proxy, http.MethodPost, "/v1/hooks/nginx-rtmp/"+secret); got/100 != 5 {
			t.Errorf("%s: a callback without nodes: %d", proxy, got)
		}
	}
	for _, p := range s.programs {
		if strings.Contains(p.LastLines(1000), secret) {
			t.Errorf("the log of %s has the secret of a callback", p.Name)
		}
	}
}
