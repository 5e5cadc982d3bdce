package node_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"onair/hub/wire"
	"onair/presence/redislog"
	"onair/presence/redislog/redismodel"
	"onair/server/nodetest"
)

// splitTest is two nodes, each with an anchor and a viewer.
type splitTest struct {
	*testing.T
	links   []*redismodel.Link
	anchors []*nodetest.Client
	viewers []*nodetest.Client
	left    [2][]string // live codes that each viewer saw leave
	beats   int64
}

var splitCodes = []string{"8888_alice", "8888_bob"}

func newSplitTest(t *testing.T, server *redismodel.Redis) *splitTest {
	x := &splitTest{T: t}
	var nodes []*nodetest.Server
	for i, name := range []string{"n1", "n2"} {
		link := server.Dial(uint64(i), redismodel.Faults{})
		nodes = append(nodes, nodetest.ServeStore(t, redislog.Open(redislog.Options{Client: link.Client()}), true, "--node", name))
		x.links = append(x.links, link)
	}
	for i, anchor := range []string{"alice", "bob"} {
		a := nodes[i].DialAnchor(anchor)
		nodetest.RequestReply[*wire.Started](a, &wire.Start{ID: a.NextID(), Title: anchor})
		x.anchors = append(x.anchors, a)
	}
	for _, n := range nodes {
		v := n.DialViewer("")
		v.Send(&wire.Subscribe{ID: v.NextID()})
		v.AwaitView("both", func(l *wire.ClientView) bool {
			return nodetest.StateInView(l, splitCodes[0]) != "" && nodetest.StateInView(l, splitCodes[1]) != ""
		})
		x.viewers = append(x.viewers, v)
	}
	x.beat(time.Minute)
	return x
}

// beat lets the anchors beat twice a minute, and reads what viewers receive.
func (x *splitTest) beat(d time.Duration) {
	x.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(30 * time.Second) {
		x.beats++
		for _, a := range x.anchors {
			nodetest.RequestReply[*wire.Ack](a, &wire.Beat{ID: a.NextID(), N: x.beats})
		}
	}
	synctest.Wait()
	for i, v := range x.viewers {
		for len(v.Inbox) > 0 {
			before := slices.DeleteFunc(slices.Clone(splitCodes), func(code string) bool { return nodetest.StateInView(&v.View, code) == "" })
			v.Receive()
			for _, code := range before {
				if nodetest.StateInView(&v.View, code) == "" {
					x.left[i] = append(x.left[i], code)
				}
			}
		}
	}
}

// checkListed checks that both viewers have both streams.
func (x *splitTest) checkListed() {
	x.Helper()
	for i, v := range x.viewers {
		for _, code := range splitCodes {
			if got := nodetest.StateInView(&v.View, code); got != wire.StateLive {
				x.Errorf("viewer %d has %s as %q", i, code, got)
			}
		}
	}
}

// TestRedisSplitBrain: node n1 still writes to an old primary, n2 to the new one, for a part
// of a lease or for longer. When n1 reaches the new primary, both anchors are live, and
// neither received an end. A viewer sees only streams of the other side leave.
func TestRedisSplitBrain(t *testing.T) {
	for name, c := range map[string]struct {
		lasts time.Duration
		left  [2][]string
	}{
		"shorter than a lease": {170 * time.Second, [2][]string{}},
		"longer than a lease":  {5 * time.Minute, [2][]string{{splitCodes[1]}, {splitCodes[0]}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := redismodel.New(redismodel.Options{})
				x := newSplitTest(t, server)
				promoted := server.Promote(time.Second)
				x.links[1].MoveTo(promoted)
				x.beat(c.lasts)
				x.links[0].MoveTo(promoted)
				x.beat(5 * time.Minute)
				x.checkListed()
				for i, want := range c.left {
					if !slices.Equal(x.left[i], want) {
						t.Errorf("viewer %d saw %q leave, want %q", i, x.left[i], want)
					}
				}
			})
		})
	}
}
