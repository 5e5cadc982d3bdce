package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"onair/hub/wire"
	"onair/presence/redislog/redistest"
	"onair/server/auth"
	"onair/server/nodetest"
)

// splitAnchor is an anchor that beats at the node where it is, whatever happens there.
type splitAnchor struct {
	f       *fleet
	sub     string
	session string
	socket  *nodetest.Client
}

// connect opens a socket, and closes the one before.
func (a *splitAnchor) connect(n *fleetNode) *nodetest.Client {
	a.f.t.Helper()
	if a.socket != nil {
		a.socket.Conn.CloseNow()
	}
	c, _, err := a.f.dial(n, "/v1/anchor", nodetest.SignToken(a.f.t, auth.Anchor, a.sub))
	if err != nil {
		a.f.t.Fatal(err)
	}
	c.Timeout, a.socket = nodetest.ProcessTimeout, c
	return c
}

// startSplitAnchor starts a session at a node, and beats there until the test ends.
func (f *fleet) startSplitAnchor(n *fleetNode, sub string) *splitAnchor {
	f.t.Helper()
	a := &splitAnchor{f: f, sub: sub}
	c := a.connect(n)
	a.session = nodetest.RequestReply[*wire.Started](c, &wire.Start{ID: c.NextID(), Title: sub}).Session
	a.beat(c)
	return a
}

// moveTo resumes the session at another node, and beats there.
func (a *splitAnchor) moveTo(n *fleetNode) {
	a.f.t.Helper()
	c := a.connect(n)
	nodetest.RequestReply[*wire.Started](c, &wire.Resume{ID: c.NextID(), Session: a.session})
	a.beat(c)
}

// beat sends beats until the socket or the test ends. It fails the test when the anchor
// receives the end of its session.
func (a *splitAnchor) beat(c *nodetest.Client) {
	done := make(chan struct{})
	a.f.t.Cleanup(func() {
		c.Conn.CloseNow()
		<-done
	})
	go func() {
		defer close(done)
		beat := time.NewTicker(heartbeatInterval)
		defer beat.Stop()
		for n := int64(1); ; n++ {
			select {
			case r, open := <-c.Inbox:
				if !open || r.Err != nil {
					return
				}
				switch m := r.Message.(type) {
				case *wire.Ended:
					a.f.t.Errorf("%s: the session has ended: %s", a.sub, m.Reason)
				case *wire.Error:
					a.f.t.Errorf("%s: %s %s", a.sub, m.Code, m.Message)
				}
			case <-beat.C:
				_ = c.Send(&wire.Beat{ID: c.NextID(), N: n}) // the end of the socket is received, too
			}
		}
	}()
}

// awaitListed waits until nodes list exactly the anchors.
func (f *fleet) awaitListed(nodes []*fleetNode, subs ...string) {
	f.t.Helper()
	for _, n := range nodes {
		f.await(fmt.Sprintf("%s to list %v", n.name, subs), nodetest.ProcessTimeout, func() error {
			page, err := f.listStreams(n)
			if err != nil {
				return err
			}
			for _, sub := range subs {
				if page["8888_"+sub].State != "live" {
					return fmt.Errorf("%s is %+v", sub, page["8888_"+sub])
				}
			}
			if len(page) != len(subs) {
				return fmt.Errorf("%d streams: %v", len(page), page)
			}
			return nil
		})
	}
}

// TestSentinelSplitBrain: the primary is separated, with one node, and still accepts writes.
// The other nodes follow the promoted replica. Each side ends the sessions whose anchors
// are on the other one. After the partition, the sessions of all anchors that beat are live,
// and no anchor has received an end.
func TestSentinelSplitBrain(t *testing.T) {
	t.Parallel()
	g := redistest.StartSentinel(t, 1)
	f := newFleet(t, "--redis.addrs", strings.Join(g.Addrs(), ","), "--redis.master-name", redistest.MasterName, "--heartbeat.interval", "3s")
	near := []string{
		"--redis.username", redistest.NearUser, "--redis.password", "any",
		"--redis.sentinel-username", redistest.NearUser, "--redis.sentinel-password", "any",
	}
	far := []string{"--redis.username", redistest.FarUser, "--redis.password", "any"}
	f.addNodes(&fleetNode{flags: near}, &fleetNode{flags: far}, &fleetNode{flags: far})
	n := f.allNodes()
	f.startSplitAnchor(n[0], "near")
	f.startSplitAnchor(n[1], "far")
	moving := f.startSplitAnchor(n[2], "moving")
	f.awaitListed(n, "near", "far", "moving")

	for _, x := range n {
		if _, body, err := f.call("GET", "http://"+x.ops+"/readyz", "", ""); err != nil || string(body) != `{"warnings":["min-replicas-to-write"]}` {
			t.Errorf("%s: /readyz has %s, %v", x.name, body, err)
		}
	}
	old := g.SeparatePrimary()
	f.startSplitAnchor(n[0], "started")
	moving.moveTo(n[0])
	g.AwaitFailover(old)
	f.awaitListed(n[1:], "far")
	f.awaitListed(n[:1], "near", "moving", "started")

	g.ReunitePrimary(old)
	f.awaitListed(n, "near", "far", "moving", "started")
	f.sleep(10 * time.Second) // a lease: a session that had to expire would have
	f.awaitListed(n, "near", "far", "moving", "started")
	if n := f.sumOfMetric("onair_digest_mismatches_total"); n != 0 {
		t.Errorf("the registries of two nodes differed %v times", n)
	}
}
