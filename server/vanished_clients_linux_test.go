package main

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"onair/hub/wire"
	"onair/server/auth"
	"onair/server/networktest"
	"onair/server/nodetest"
)

// startServerOn starts a server on a host. Calls and sockets of the process's methods come
// from another host of the network, by perfect paths.
func startServerOn(t *testing.T, network *networktest.Network, host *networktest.Host, flags ...string) (p *process) {
	t.Helper()
	host.Run(func() { p = startServer(t, testBinary(), nil, append(listenFlags(host), flags...)...) })
	if p == nil { // startServer has failed the test
		t.FailNow()
	}
	p.client = network.NewHost().Client()
	return p
}

// listenFlags returns the flags of a server that listens on the address of a host.
func listenFlags(h *networktest.Host) []string {
	return []string{"--listen", h.Addr() + ":8080", "--ops.listen", h.Addr() + ":9090"}
}

// dialFrom opens a socket from a host at an address, and reads its welcome.
func dialFrom(t *testing.T, host *networktest.Host, address, path, token string) *nodetest.Client {
	t.Helper()
	options := nodetest.DialOptions(token)
	options.HTTPClient = host.Client()
	conn, _, err := websocket.Dial(t.Context(), "ws://"+address+path, options)
	if err != nil {
		t.Fatal(err)
	}
	c := nodetest.NewClient(t, conn, nodetest.ProcessTimeout)
	c.ReceiveWelcome()
	return c
}

// keepBeating sends beats on a socket until the test ends.
func keepBeating(t *testing.T, c *nodetest.Client, interval time.Duration) {
	var task sync.WaitGroup
	t.Cleanup(task.Wait)
	task.Go(func() {
		for n := int64(1); ; n++ {
			select {
			case <-t.Context().Done():
				return
			case <-time.After(interval):
			}
			if err := c.Send(&wire.Beat{N: n}); err != nil && t.Context().Err() == nil {
				t.Errorf("beat: %v", err)
				return
			}
		}
	})
}

// TestAnchorsVanish: the lines of two anchors drop every packet. The streams become away at the
// first missed beat. One anchor resumes from another address: its session continues. The
// other returns after the third missed beat: its session has ended, and a start is a new one.
// The server closes the old sockets.
func TestAnchorsVanish(t *testing.T) {
	t.Parallel()
	network := networktest.New(t)
	server, wifi, mobile := network.NewHost(), network.NewHost(), network.NewHost()
	p := startServerOn(t, network, server, "--heartbeat.interval", "3s")
	aliceToken, bobToken := nodetest.SignToken(t, auth.Anchor, "alice"), nodetest.SignToken(t, auth.Anchor, "bob")
	dial := func(host *networktest.Host, token string) *nodetest.Client {
		return dialFrom(t, host, p.address, "/v1/anchor", token)
	}
	start := func(c *nodetest.Client) *wire.Started {
		started := nodetest.RequestReply[*wire.Started](c, &wire.Start{ID: c.NextID(), Title: "Hello"})
		nodetest.RequestReply[*wire.Ack](c, &wire.Beat{ID: c.NextID(), N: 1})
		return started
	}
	alice, bob := start(dial(wifi, aliceToken)), start(dial(wifi, bobToken))
	aliceCode, bobCode := alice.Stream.Code, bob.Stream.Code
	viewer := p.dial("/v1/viewer", "")
	viewer.Timeout = nodetest.ProcessTimeout
	nodetest.RequestReply[*wire.Snapshot](viewer, &wire.Subscribe{ID: viewer.NextID()})
	awaitStates := func(aliceState, bobState string) {
		t.Helper()
		viewer.AwaitView("alice "+aliceState+", bob "+bobState, func(v *wire.ClientView) bool {
			a, b := nodetest.StateInView(v, aliceCode), nodetest.StateInView(v, bobCode)
			if a == "" {
				t.Error("alice left the list")
			}
			return a == aliceState && b == bobState
		})
	}
	awaitStates(wire.StateLive, wire.StateLive)

	network.SetPaths(wifi, server, networktest.Cut)
	awaitStates(wire.StateAway, wire.StateAway)

	back := dial(mobile, aliceToken)
	resumed := nodetest.RequestReply[*wire.Started](back, &wire.Resume{ID: back.NextID(), Session: alice.Session})
	if resumed.Session != alice.Session || resumed.Stream.StartedAt != alice.Stream.StartedAt {
		t.Errorf("resumed %+v, want %+v", resumed, alice)
	}
	keepBeating(t, back, 500*time.Millisecond)
	awaitStates(wire.StateLive, wire.StateAway)
	awaitStates(wire.StateLive, "")

	late := dial(mobile, bobToken)
	refused := nodetest.RequestReply[*wire.Error](late, &wire.Resume{ID: late.NextID(), Session: bob.Session})
	if refused.Code != wire.CodeSessionGone || refused.Reason != wire.EndMissedBeats {
		t.Errorf("the late resume is answered with %+v", refused)
	}
	if again := start(late); again.Session == bob.Session {
		t.Error("the new start is the old session")
	}
	awaitStates(wire.StateLive, wire.StateLive)
	if n := len(viewer.View.Sorted("")); n != 2 {
		t.Errorf("the viewer has %d streams, want two", n)
	}
	if n := len(p.listedEntries()); n != 2 {
		t.Errorf("%d streams are listed, want two", n)
	}
	p.awaitMetricAtMost(`onair_connections{kind="anchor",`, 2)
}

// TestViewersVanish: the lines of 200 viewers drop every packet. The server closes their
// connections within a minute, and the kernel has no data for them any more. Meanwhile little
// is stored for them, and others are served.
func TestViewersVanish(t *testing.T) {
	t.Parallel()
	const maxQueue = 44 << 10 // docs/operations.md, Kernel
	network := networktest.New(t)
	server, gone := network.NewHost(), network.NewHost()
	p := startServerOn(t, network, server, "--idle", "10m")
	b := p.connectBystanders()
	goroutines, files := p.metricValue("go_goroutines"), p.metricValue("process_open_fds")
	quiet := p.dial("/v1/anchor", nodetest.SignToken(t, auth.Anchor, "quiet"))
	nodetest.RequestReply[*wire.Started](quiet, &wire.Start{ID: quiet.NextID()})
	for range 50 {
		p.connectVanishingViewers(gone)
	}
	b.checkServed()

	network.SetPaths(gone, server, networktest.Cut)
	nodetest.RequestReply[*wire.Updated](quiet, &wire.Update{ID: quiet.NextID(), Title: wire.Some("unseen")})
	var longest int
	took := b.awaitServedUntil(func() error {
		longest = max(longest, slices.Max(append(server.SendQueues(gone), 0)))
		sockets, events := p.metricValue(`onair_connections{kind="viewer",`)-1, p.metricValue(`onair_connections{kind="events",`)
		if sockets+events > 0 {
			return fmt.Errorf("%v sockets and %v event streams are open", sockets, events)
		}
		return nil
	})
	t.Logf("the last was closed after %v; at most %d bytes waited for one", took.Round(time.Second), longest)
	if longest == 0 || longest > maxQueue {
		t.Errorf("at most %d bytes waited for a viewer, want 1 to %d", longest, maxQueue)
	}
	for late := time.Now().Add(10 * time.Second); len(server.SendQueues(gone)) > 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(late) { // without a reset, the kernel would send data for longer
			t.Fatalf("the kernel has queues of %v bytes", server.SendQueues(gone))
		}
	}
	p.awaitMetricAtMost("go_goroutines", goroutines+20)
	p.awaitMetricAtMost("process_open_fds", files+10)
	p.awaitMetricAtMost("onair_view_subscriptions", 2)
}

// connectVanishingViewers connects a viewer of each kind: one gets no data, so that the kernel's
// probes find that it has vanished; one gets so many changes that a write fails; two get a
// change now and then, by a socket and as events.
func (p *process) connectVanishingViewers(host *networktest.Host) {
	p.t.Helper()
	dial := func() *nodetest.RawSocket {
		conn, err := host.DialContext(p.t.Context(), "tcp", p.address)
		if err != nil {
			p.t.Fatal(err)
		}
		p.t.Cleanup(func() { conn.Close() })
		conn.SetDeadline(time.Now().Add(nodetest.ProcessTimeout))
		return nodetest.NewRawSocket(conn)
	}
	for _, request := range []string{`{"type":"unwatch","code":"8888_quiet"}`, `{"type":"subscribe"}`, `{"type":"subscribe","anchors":["quiet"]}`} {
		c := dial()
		if err := c.Upgrade("/v1/viewer"); err != nil {
			p.t.Fatal(err)
		}
		c.Write(nodetest.MaskedFrame(nodetest.FinalFrame|nodetest.OpText, request))
		for _, answer := range []string{"the welcome", "the answer"} {
			if _, _, err := c.ReadFrame(); err != nil {
				p.t.Fatalf("%s: %v", answer, err)
			}
		}
	}
	events := dial()
	io.WriteString(events, "GET /v1/streams/events?anchors=quiet HTTP/1.1\r\nHost: server\r\n\r\n")
	if status, err := events.ReadStatus(); status != http.StatusOK {
		p.t.Fatalf("events: %d, %v", status, err)
	}
}

// awaitServedUntil calls checkServed and check in turns until check returns no error.
func (b *bystanders) awaitServedUntil(check func() error) (took time.Duration) {
	b.t.Helper()
	began := time.Now()
	for err := check(); err != nil; err = check() {
		if took = time.Since(began); took > 2*nodetest.ProcessTimeout {
			b.t.Fatalf("after %v: %v", took, err)
		}
		time.Sleep(200 * time.Millisecond) // well below limits.rate
		b.checkServed()
	}
	return time.Since(began)
}
