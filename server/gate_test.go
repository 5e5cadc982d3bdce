package main

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"

	"onair/hub"
	"onair/hub/socket"
	"onair/hub/wire"
	"onair/server/config"
)

// silent is a connection that takes everything.
type silent struct{}

var _ hub.Conn = silent{}

func (silent) OnWritable(func(error))                   {}
func (silent) Write(socket.Message) (bool, error)       { return false, nil }
func (silent) Close(websocket.StatusCode, string) error { return nil }
func (silent) CloseNow() error                          { return nil }

// TestTurnedAway: whoever is turned away hears why, and when to come back.
func TestTurnedAway(t *testing.T) {
	cfg, err := config.Load([]string{"--limits.sockets", "1", "--limits.handshakes", "1/s"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	g := newGate(&cfg.Limits, newMetrics(prometheus.NewRegistry()))
	refused := func(obstacle, why string) {
		t.Helper()
		_, e := g.reserve(obstacle)
		if e == nil || e.Code != wire.CodeUnavailable || e.Message != obstacles[why] || e.RetryAfterMS < 1000 || e.RetryAfterMS >= 10_000 {
			t.Errorf("%q: %+v", why, e)
		}
	}
	refused(overloaded, overloaded)
	refused(cutOff, cutOff)
	p, e := g.reserve("")
	if e != nil {
		t.Fatal(e)
	}
	refused(overloaded, full)
	p.free()
	refused("", tooFast)
	g.drain(time.Second)
	refused("", draining)
	if g.admitted() != 1 {
		t.Errorf("%d were let in", g.admitted())
	}
}

// TestDrainMeetsArrivals: a drain waits for those who were let in just before
// it began, and shows them out too.
func TestDrainMeetsArrivals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg, err := config.Load(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		s := serveTest(t)
		g := newGate(&cfg.Limits, newMetrics(prometheus.NewRegistry()))
		coming := make([]*place, 2)
		for i := range coming {
			var e *wire.Error
			if coming[i], e = g.reserve(""); e != nil {
				t.Fatal(e)
			}
		}
		drained := make(chan struct{})
		go func() {
			g.drain(20 * time.Second)
			close(drained)
		}()
		time.Sleep(time.Second)
		waits := func() bool {
			synctest.Wait()
			select {
			case <-drained:
				return false
			default:
				return true
			}
		}
		out := &guest{kind: "viewer", address: "x", out: s.s.hub.Attach(silent{})}
		defer out.out.Close()
		if !waits() || !g.enter(coming[0], out, roleUnknown) || out.code() != wire.CloseDrained {
			t.Errorf("let in while draining, and closed with %d", out.code())
		}
		g.leave(out)
		if !waits() {
			t.Error("the drain does not wait for who is coming")
		}
		coming[1].free()
		if waits() {
			t.Error("nobody is left, and the drain goes on")
		}
	})
}
