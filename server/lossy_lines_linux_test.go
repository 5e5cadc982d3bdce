package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"onair/deploy/program"
	"onair/hub/wire"
	"onair/server/auth"
	"onair/server/networktest"
	"onair/server/nodetest"
)

// lossyLine is a bad mobile line: a twentieth of the packets is lost, a round trip takes 200 ms,
// and it is as narrow as 256 kbit/s.
var lossyLine = networktest.Path{Loss: 0.05, Delay: 100 * time.Millisecond, BytesPerSecond: 32_000}

// startBalancer starts HAProxy with the shipped configuration on a host, in front of one node.
func startBalancer(t *testing.T, host *networktest.Host, p *process) (address string) {
	t.Helper()
	path, err := program.Locate("haproxy")
	if err != nil {
		t.Fatalf("%v: run .ci/install", err)
	}
	address = host.Addr() + ":8080"
	cmd := exec.Command(path, "-db", "-n", "1000", "-f", "../deploy/haproxy.cfg")
	cmd.Env = append(os.Environ(), "BIND="+address, "STATS=127.0.0.1:8404", "ONAIR_1="+p.address, "ONAIR_1_OPS=9090", "ONAIR_2=127.0.0.1:1")
	var balancer *program.Program
	host.Run(func() { balancer, err = program.Start("haproxy", cmd) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		balancer.Stop()
		if t.Failed() {
			t.Logf("output of haproxy:\n%s", balancer.LastLines(20))
		}
	})
	nodetest.Eventually(t, "the balancer to use the node", func() bool {
		res, err := p.client.Get("http://" + address + "/v1/streams")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	return address
}

// updateStream starts a stream and changes 900 bytes of its data, with a pause after each change.
// Then it sends beats until the test ends.
func updateStream(t *testing.T, c *nodetest.Client, changes int, pause time.Duration) {
	messages := []wire.Message{&wire.Start{ID: c.NextID()}}
	for i := range changes {
		text := fmt.Sprintf(`{"pad":"%0900d"}`, i)
		messages = append(messages, &wire.Update{ID: c.NextID(), Extra: wire.Some(json.RawMessage(text))})
	}
	for _, m := range messages {
		answer, err := c.Request(m)
		if e, refused := answer.(*wire.Error); refused || err != nil {
			t.Errorf("%T is answered with %+v, %v", m, e, err)
			return
		}
		time.Sleep(pause)
	}
	keepBeating(t, c, time.Second)
}

// TestLossyLines: anchors and viewers are on lossy, slow and narrow lines, directly or through
// HAProxy. No anchor loses its session. Changes come faster than the lines can carry them;
// afterwards each viewer has the list.
func TestLossyLines(t *testing.T) {
	t.Parallel()
	const slowClients, fastAnchors, changes = 4, 30, 30
	const goodViewer = "the viewer on a good line"
	network := networktest.New(t)
	server, balancer := network.NewHost(), network.NewHost()
	p := startServerOn(t, network, server, "--heartbeat.interval", "3s")
	balancerAddress := startBalancer(t, balancer, p)
	viewers := map[string]*nodetest.Client{goodViewer: p.dial("/v1/viewer", "")}
	var streams sync.WaitGroup
	for i := range slowClients {
		token := nodetest.SignToken(t, auth.Anchor, fmt.Sprint("slow", i))
		host, address, name := server, p.address, "directly"
		if i%2 == 1 {
			host, address, name = balancer, balancerAddress, "through HAProxy"
		}
		line := func() *networktest.Host {
			h := network.NewHost()
			network.SetPaths(h, host, lossyLine)
			return h
		}
		viewers[fmt.Sprintf("viewer %d, %s", i, name)] = dialFrom(t, line(), address, "/v1/viewer", "")
		anchor := dialFrom(t, line(), address, "/v1/anchor", token)
		streams.Go(func() { updateStream(t, anchor, changes/3, 0) })
	}
	for _, c := range viewers {
		nodetest.RequestReply[*wire.Snapshot](c, &wire.Subscribe{ID: c.NextID()})
	}
	for i := range fastAnchors {
		c := p.dial("/v1/anchor", nodetest.SignToken(t, auth.Anchor, fmt.Sprint("fast", i)))
		streams.Go(func() { updateStream(t, c, changes, 200*time.Millisecond) })
	}
	streams.Wait()
	good := len(viewers[goodViewer].Inbox)
	for name, c := range viewers {
		if n := len(c.Inbox); name != goodViewer && n >= good {
			t.Errorf("%s got %d messages, %s %d: its line is not narrow", name, n, goodViewer, good)
		}
		nodetest.Eventually(t, name+" has the list", func() bool {
			for len(c.Inbox) > 0 {
				c.TryReceive()
			}
			return listDifference(p.listedEntries(), entriesByCode(&c.View)) == ""
		})
	}
	if n := len(p.listedEntries()); n != slowClients+fastAnchors {
		t.Errorf("%d streams are listed, want %d", n, slowClients+fastAnchors)
	}
	t.Logf("%d packets were lost", network.Lost())
}

func entriesByCode(v *wire.ClientView) map[string]wire.Entry {
	out := map[string]wire.Entry{}
	for _, e := range v.Sorted("") {
		out[e.Code] = e
	}
	return out
}
