package main

import (
	"syscall"
	"testing"
)

// TestLoadTestThroughBalancer: a load test through HAProxy passes while each node is
// restarted. Its clients know only the address of the balancer.
func TestLoadTestThroughBalancer(t *testing.T) {
	s := newProxyStack(t)
	load, err := s.startProgram("loadtest", s.settings.Loadtest, nil,
		"--url=ws://"+s.addrs.balancer,
		"--metrics=http://"+s.addrs.nodes[0].ops+"/metrics,http://"+s.addrs.nodes[1].ops+"/metrics",
		"--secret-file="+s.path("keys/auth"), "--profile=rolling", "--anchors=60", "--viewers=200", "--views=10",
		"--duration=50s", "--max-p99=10s", "--min-resumed=0.9", "--report=")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := load.AwaitLine(s.ctx, "measuring for"); err != nil {
		t.Fatal(err)
	}
	for i, node := range s.nodes {
		node.Signal(syscall.SIGTERM)
		if code, err := node.AwaitExit(s.ctx); err != nil || code != 0 {
			t.Fatalf("the stopped node has exit code %d, %v", code, err)
		}
		if err := s.startNode(i); err != nil {
			t.Fatal(err)
		}
		if _, err := s.nodes[i].AwaitLine(s.ctx, `"serving"`); err != nil {
			t.Fatal(err)
		}
	}
	if code, err := load.AwaitExit(s.ctx); err != nil || code != 0 {
		t.Errorf("the load test has exit code %d, %v\n%s", code, err, load.LastLines(50))
	}
}
