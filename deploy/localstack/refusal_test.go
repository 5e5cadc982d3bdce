package main

import (
	"context"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
)

// TestRefusals: what all nodes refuse of one kind is refused by the fronts, and
// nothing else is; callbacks go to nodes that take no more sockets, too; and no
// log has the secret in a callback's path. The nodes are made up.
func TestRefusals(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), longestTest)
	defer cancel()
	at, err := findPlaces()
	if err != nil {
		t.Fatal(err)
	}
	p := &picture{set: settings{Deploy: ".."}, dir: t.TempDir(), at: at}
	p.here = at.translate(p.dir)
	s := &scene{picture: p, t: t, ctx: ctx, client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	defer http.DefaultClient.CloseIdleConnections()
	var full atomic.Bool
	var callbacks atomic.Int64
	nodes := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		callback := strings.HasPrefix(r.URL.Path, "/v1/hooks/")
		switch {
		case r.URL.Path == "/v1/anchor", r.URL.Path == "/readyz" && full.Load(),
			callback && callbacks.Add(1)%2 == 1: // each is refused once
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})}
	for _, address := range []string{at.nodes[0].api, at.nodes[0].ops, at.nodes[1].api, at.nodes[1].ops} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		go nodes.Serve(l)
	}
	defer nodes.Close()
	if err := os.Mkdir(p.path("temp"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := p.copy("haproxy.cfg", "haproxy.cfg"); err != nil {
		t.Fatal(err)
	}
	defer func() {
		for _, c := range p.all {
			if t.Failed() {
				t.Logf("--- %s\n%s", c.Name, c.LastLines(30))
			}
		}
		p.end()
	}()
	if err := p.startBalancer(ctx); err != nil {
		t.Fatal(err)
	}
	fronts := map[string]string{"haproxy": at.balancer, "nginx": s.startProxy()}

	const secret = "keep-me-out-of-logs"
	status := func(front, method, path string) int {
		res, _ := s.asks("", method, "http://"+fronts[front]+path, "")
		return res.StatusCode
	}
	for front := range fronts {
		for range 3 {
			if got := status(front, http.MethodGet, "/v1/anchor"); got != http.StatusServiceUnavailable {
				t.Errorf("%s: an anchor that all refuse: %d", front, got)
			}
			if got := status(front, http.MethodGet, "/v1/streams"); got != http.StatusOK {
				t.Errorf("%s: the list after that: %d", front, got)
			}
		}
	}
	full.Store(true)
	s.until("the balancer to know that nodes are full", func() bool {
		return status("haproxy", http.MethodGet, "/v1/streams") == http.StatusServiceUnavailable
	})
	for front := range fronts {
		if got := status(front, http.MethodPost, "/v1/hooks/nginx-rtmp/"+secret); got != http.StatusOK {
			t.Errorf("%s: a callback while nodes are full: %d", front, got)
		}
	}
	nodes.Close()
	for front := range fronts {
		if got := status(front, http.MethodPost, "/v1/hooks/nginx-rtmp/"+secret); got/100 != 5 {
			t.Errorf("%s: a callback without nodes: %d", front, got)
		}
	}
	for _, c := range p.all {
		if strings.Contains(c.LastLines(1000), secret) {
			t.Errorf("the log of %s has the secret of a callback", c.Name)
		}
	}
}
