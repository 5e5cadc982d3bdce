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

// discardConn is a connection that accepts and discards everything.
type discardConn struct{}

var _ hub.Conn = discardConn{}

func (discardConn) OnWritable(func(error))                   {}
func (discardConn) Write(socket.Message) (bool, error)       { return false, nil }
func (discardConn) Close(websocket.StatusCode, string) error { return nil }
func (discardConn) CloseNow() error                          { return nil }

// TestRejectionHasReasonAndRetryTime: a rejected client gets the reason, and the time at
// which to retry.
func TestRejectionHasReasonAndRetryTime(t *testing.T) {
	cfg, err := config.Load([]string{"--limits.sockets", "1", "--limits.handshakes", "1/s"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	a := New(&cfg.Limits, prometheus.NewRegistry())
	wantRejection := func(callerRejection, want Rejection) {
		t.Helper()
		_, err := a.Reserve(callerRejection)
		e := response.WireErrorOrUnavailable(err)
		if e == nil || e.Code != wire.CodeUnavailable || e.Message != rejectionMessages[want] || e.RetryAfterMS < 1000 || e.RetryAfterMS >= 10_000 {
			t.Errorf("Reserve(%q) returned %+v, want rejection %q", callerRejection, e, want)
		}
	}
	wantRejection(RejectionOverloaded, RejectionOverloaded)
	wantRejection(RejectionIsolated, RejectionIsolated)
	reservation, err := a.Reserve("")
	if err != nil {
		t.Fatal(err)
	}
	wantRejection(RejectionOverloaded, rejectionFull)
	reservation.Release()
	wantRejection("", rejectionHandshakeRate)
	a.Drain(time.Second)
	wantRejection("", rejectionDraining)
	var count dto.Metric
	if err := a.metrics.rejected.WithLabelValues(string(rejectionDraining)).Write(&count); err != nil || count.GetCounter().GetValue() != 1 {
		t.Errorf("rejections by the drain: %v, %v", &count, err)
	}
	if a.ReservationsSinceStart() != 1 {
		t.Errorf("%d reservations were counted, want 1", a.ReservationsSinceStart())
	}
}

// TestDrainClosesReserved: a drain waits for connections that were reserved before it
// began, and closes them too.
func TestDrainClosesReserved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg, err := config.Load(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		a := New(&cfg.Limits, prometheus.NewRegistry())
		reservations := make([]*Reservation, 2)
		for i := range reservations {
			if reservations[i], err = a.Reserve(""); err != nil {
				t.Fatal(err)
			}
		}
		drained := make(chan struct{})
		go func() {
			a.Drain(20 * time.Second)
			close(drained)
		}()
		time.Sleep(time.Second)
		isDraining := func() bool {
			synctest.Wait()
			select {
			case <-drained:
				return false
			default:
				return true
			}
		}
		conn := &Conn{Kind: "viewer", Address: "x", Socket: hub.New(hub.Options{Lists: cfg.Lists, Tick: cfg.Hub.Tick, Metrics: prometheus.NewRegistry()}).Attach(discardConn{})}
		defer conn.Socket.Close()
		if !isDraining() || !a.Admit(reservations[0], conn, RoleUnknown) || conn.CloseCode() != wire.CloseDrained {
			t.Errorf("a connection admitted during the drain was closed with %d", conn.CloseCode())
		}
		a.Remove(conn)
		if !isDraining() {
			t.Error("the drain did not wait for a reservation")
		}
		reservations[1].Release()
		if isDraining() {
			t.Error("the drain did not end without connections")
		}
	})
}
