package main

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
				node := func(seed uint64, name string) *testServer {
					link := redis.Dial(seed, redismodel.Faults{})
					return serveOn(t, redislog.Open(redislog.Options{Client: link.Client()}), true, "--node", name)
				}
				a := &awayTest{T: t, nodes: []*testServer{node(1, "n1"), node(2, "n2")}}
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
	nodes         []*testServer
	alice, silent *caller
	viewers       []*caller
	beats         int64
}

const awayAlice, awaySilent = "8888_alice", "8888_silent"

func (a *awayTest) before() {
	a.alice, a.silent = a.nodes[0].anchor("alice"), a.nodes[1].anchor("silent")
	answerTo[*wire.Started](a.alice, &wire.Start{ID: a.alice.id(), Title: "Hello"})
	answerTo[*wire.Started](a.silent, &wire.Start{ID: a.silent.id(), Title: "Good night"})
	for _, n := range a.nodes {
		v := n.viewer("")
		v.tell(&wire.Subscribe{ID: v.id()})
		v.shows("both", func(l *wire.ClientView) bool { return state(l, awayAlice) != "" && state(l, awaySilent) != "" })
		a.viewers = append(a.viewers, v)
	}
	a.beat(2 * time.Minute)
}

// beat has alice beat once a minute for so long; held is what her last beat was.
func (a *awayTest) beat(d time.Duration) (held bool) {
	a.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Minute) {
		a.beats++
		held = answerTo[*wire.Ack](a.alice, &wire.Beat{ID: a.alice.id(), N: a.beats}).Pending
	}
	return held
}

func (a *awayTest) meanwhile(start []wire.ErrorCode) {
	bob := a.nodes[0].anchor("bob")
	time.Sleep(5 * time.Second)
	e := answerTo[*wire.Error](bob, &wire.Start{ID: bob.id(), Title: "Hello", Key: "k"})
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
		if got := n.get(n.ops, "/readyz"); !strings.Contains(got, `"degraded":["log"`) {
			a.Errorf("readyz says %s", got)
		}
		if got := n.get(n.client, "/v1/streams"); !strings.Contains(got, awayAlice) || !strings.Contains(got, awaySilent) {
			a.Errorf("the list is %s", got)
		}
		if status := n.status("/v1/anchor", n.token(auth.Anchor, "carol", time.Hour)); status != http.StatusServiceUnavailable {
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
		for len(v.inbox) > 0 {
			v.next()
			for _, code := range codes {
				if state(&v.list, code) == "" {
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
		if got := n.get(n.ops, "/readyz"); got != "{}" {
			a.Errorf("ten seconds later readyz says %s", got)
		}
	}
	if a.beat(time.Minute) {
		a.Error("beats are held still")
	}
	dan := a.nodes[1].anchor("dan")
	answerTo[*wire.Started](dan, &wire.Start{ID: dan.id(), Title: "Hello"})
	gone := a.viewers[0].shows("the silent one gone", func(l *wire.ClientView) bool { return state(l, awaySilent) == "" })
	if gone.Sub(back) > 190*time.Second {
		a.Errorf("whoever was silent has left after %v", gone.Sub(back))
	}
	a.nobodyLeft(awayAlice)
}
