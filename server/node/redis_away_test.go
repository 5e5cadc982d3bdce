package node_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"onair/hub/wire"
	"onair/presence/redislog"
	"onair/presence/redislog/redismodel"
	"onair/server/auth"
	"onair/server/nodetest"
)

// TestRedisAwayForTenMinutes: Redis is refused, or answers nothing, for longer
// than any lease. Nobody ends, the list is served, beats are answered, starts
// are unavailable, readyz says degraded; and when it is back all goes on by
// itself, and whoever is silent then leaves in time.
func TestRedisAwayForTenMinutes(t *testing.T) {
	for name, fault := range map[string]struct {
		begin, end func(*redismodel.Redis)
		start      []wire.ErrorCode // what a start is answered with meanwhile
	}{
		"refused":   {(*redismodel.Redis).Shutdown, (*redismodel.Redis).Start, []wire.ErrorCode{wire.CodeUnavailable}},
		"no answer": {(*redismodel.Redis).Pause, (*redismodel.Redis).Resume, []wire.ErrorCode{wire.CodeUnavailable, wire.CodeUnknown}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				redis := redismodel.New(redismodel.Options{})
				node := func(seed uint64, name string) *nodetest.Server {
					link := redis.Dial(seed, redismodel.Faults{})
					return nodetest.ServeStore(t, redislog.Open(redislog.Options{Client: link.Client()}), true, "--node", name)
				}
				a := &awayTest{T: t, nodes: []*nodetest.Server{node(1, "n1"), node(2, "n2")}}
				a.before()
				fault.begin(redis)
				a.meanwhile(fault.start)
				fault.end(redis)
				a.afterwards()
			})
		})
	}
}

// awayTest is two nodes, an anchor that beats, one that has fallen silent, and a
// viewer on each node.
type awayTest struct {
	*testing.T
	nodes         []*nodetest.Server
	alice, silent *nodetest.Client
	viewers       []*nodetest.Client
	beats         int64
}

const awayAlice, awaySilent = "8888_alice", "8888_silent"

func (a *awayTest) before() {
	a.alice, a.silent = a.nodes[0].DialAnchor("alice"), a.nodes[1].DialAnchor("silent")
	nodetest.RequestReply[*wire.Started](a.alice, &wire.Start{ID: a.alice.NextID(), Title: "Hello"})
	nodetest.RequestReply[*wire.Started](a.silent, &wire.Start{ID: a.silent.NextID(), Title: "Good night"})
	for _, n := range a.nodes {
		v := n.DialViewer("")
		v.Send(&wire.Subscribe{ID: v.NextID()})
		v.AwaitView("both", func(l *wire.ClientView) bool {
			return nodetest.StateInView(l, awayAlice) != "" && nodetest.StateInView(l, awaySilent) != ""
		})
		a.viewers = append(a.viewers, v)
	}
	a.beat(2 * time.Minute)
}

// beat has alice beat once a minute for so long; held is what her last beat was.
func (a *awayTest) beat(d time.Duration) (held bool) {
	a.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Minute) {
		a.beats++
		held = nodetest.RequestReply[*wire.Ack](a.alice, &wire.Beat{ID: a.alice.NextID(), N: a.beats}).Pending
	}
	return held
}

func (a *awayTest) meanwhile(start []wire.ErrorCode) {
	bob := a.nodes[0].DialAnchor("bob")
	time.Sleep(5 * time.Second)
	e := nodetest.RequestReply[*wire.Error](bob, &wire.Start{ID: bob.NextID(), Title: "Hello", Key: "k"})
	found := false
	for _, code := range start {
		found = found || e.Code == code
	}
	if !found {
		a.Errorf("a start was answered with %+v", e)
	}
	if !a.beat(10 * time.Minute) {
		a.Error("a beat was promised")
	}
	for _, n := range a.nodes {
		if got := n.Get(n.Ops, "/readyz"); !strings.Contains(got, `"degraded":["log"`) {
			a.Errorf("readyz says %s", got)
		}
		if got := n.Get(n.HTTP, "/v1/streams"); !strings.Contains(got, awayAlice) || !strings.Contains(got, awaySilent) {
			a.Errorf("the list is %s", got)
		}
		if status := n.GetStatus("/v1/anchor", n.Token(auth.Anchor, "carol", time.Hour)); status != http.StatusServiceUnavailable {
			a.Errorf("a new anchor: HTTP %d", status)
		}
	}
	a.nobodyLeft(awayAlice, awaySilent)
}

// nobodyLeft reads all that viewers were told.
func (a *awayTest) nobodyLeft(codes ...string) {
	a.Helper()
	synctest.Wait()
	for _, v := range a.viewers {
		for len(v.Inbox) > 0 {
			v.Receive()
			for _, code := range codes {
				if nodetest.StateInView(&v.View, code) == "" {
					a.Fatalf("a viewer saw %s leave", code)
				}
			}
		}
	}
}

func (a *awayTest) afterwards() {
	back := time.Now()
	time.Sleep(10 * time.Second)
	for _, n := range a.nodes {
		if got := n.Get(n.Ops, "/readyz"); got != "{}" {
			a.Errorf("ten seconds later readyz says %s", got)
		}
	}
	if a.beat(time.Minute) {
		a.Error("beats are held still")
	}
	dan := a.nodes[1].DialAnchor("dan")
	nodetest.RequestReply[*wire.Started](dan, &wire.Start{ID: dan.NextID(), Title: "Hello"})
	gone := a.viewers[0].AwaitView("the silent one gone", func(l *wire.ClientView) bool { return nodetest.StateInView(l, awaySilent) == "" })
	if gone.Sub(back) > 190*time.Second {
		a.Errorf("whoever was silent has left after %v", gone.Sub(back))
	}
	a.nobodyLeft(awayAlice)
}
