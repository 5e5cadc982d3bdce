package admission

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"onair/hub"
	"onair/hub/socket"
	"onair/hub/wire"
	"onair/server/config"
	"onair/server/response"
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
	g := New(&cfg.Limits, prometheus.NewRegistry())
	refused := func(obstacle, why string) {
		t.Helper()
		_, err := g.Reserve(obstacle)
		e := response.WireError(err)
		if e == nil || e.Code != wire.CodeUnavailable || e.Message != rejectionMessages[why] || e.RetryAfterMS < 1000 || e.RetryAfterMS >= 10_000 {
			t.Errorf("%q: %+v", why, e)
		}
	}
	refused(RejectionOverloaded, RejectionOverloaded)
	refused(RejectionIsolated, RejectionIsolated)
	p, e := g.Reserve("")
	if e != nil {
		t.Fatal(e)
	}
	refused(RejectionOverloaded, rejectionFull)
	p.Release()
	refused("", rejectionHandshakeRate)
	g.Drain(time.Second)
	refused("", rejectionDraining)
	var count dto.Metric
	if err := g.metrics.rejected.WithLabelValues(rejectionDraining).Write(&count); err != nil || count.GetCounter().GetValue() != 1 {
		t.Errorf("turned away by the drain: %v, %v", &count, err)
	}
	if g.AdmittedTotal() != 1 {
		t.Errorf("%d were let in", g.AdmittedTotal())
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
		g := New(&cfg.Limits, prometheus.NewRegistry())
		coming := make([]*Reservation, 2)
		for i := range coming {
			var e error
			if coming[i], e = g.Reserve(""); e != nil {
				t.Fatal(e)
			}
		}
		drained := make(chan struct{})
		go func() {
			g.Drain(20 * time.Second)
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
		out := &Conn{Kind: "viewer", Address: "x", Socket: hub.New(hub.Options{Lists: cfg.Lists, Tick: cfg.Hub.Tick, Metrics: prometheus.NewRegistry()}).Attach(silent{})}
		defer out.Socket.Close()
		if !waits() || !g.Admit(coming[0], out, RoleUnknown) || out.CloseCode() != wire.CloseDrained {
			t.Errorf("let in while draining, and closed with %d", out.CloseCode())
		}
		g.Remove(out)
		if !waits() {
			t.Error("the drain does not wait for who is coming")
		}
		coming[1].Release()
		if waits() {
			t.Error("nobody is left, and the drain goes on")
		}
	})
}
