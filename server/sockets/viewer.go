package sockets

import (
	"context"
	"time"

	"golang.org/x/time/rate"

	"onair/hub/wire"
	"onair/server/auth"
	"onair/server/broadcast"
)

// viewer handles the messages of a viewer. The goroutine that reads its socket owns its
// fields.
type viewer struct {
	*client
	likeLimiter *rate.Limiter // nil before the first like
	isPinging   bool          // from the first watch on
}

func welcomeViewer(c *client) messageHandler {
	c.sendWelcome()
	return &viewer{client: c}
}

// checkNewIdentity accepts any valid token.
func (v *viewer) checkNewIdentity(_, _ auth.Identity) error { return nil }

func (v *viewer) onClose() {}

func (v *viewer) handleRequest(ctx context.Context, m wire.Message) error {
	switch m := m.(type) {
	case *wire.Auth:
		return v.replaceIdentityOrReject(ctx, m)
	case *wire.Subscribe:
		return v.server.Hub.Subscribe(v.Socket, m)
	case *wire.Unsubscribe:
		return v.server.Hub.Unsubscribe(v.Socket, m)
	case *wire.Watch:
		if err := v.server.Hub.Watch(v.Socket, m); err != nil {
			return err
		}
		if !v.isPinging {
			v.isPinging = true
			time.AfterFunc(PingInterval, v.pingRepeatedly)
		}
	case *wire.Unwatch:
		return v.server.Hub.Unwatch(v.Socket, m)
	case *wire.Like:
		return v.handleLike(m)
	}
	return nil
}

func (v *viewer) handleLike(m *wire.Like) error {
	st := v.server.Hub.StreamByCode(m.Code)
	if st == nil {
		return broadcast.NewNotLiveError()
	}
	if v.likeLimiter == nil {
		v.likeLimiter = broadcast.NewLikeLimiter()
	}
	if !v.likeLimiter.AllowN(time.Now(), m.N) {
		return broadcast.NewLikeLimitError(m.N)
	}
	v.server.Node.AddLikes(st.Session, m.N)
	v.Send(&wire.Liked{ID: m.ID, Code: m.Code})
	return nil
}

// A socket with watches is pinged, because a proxy may keep the TCP connection of a dead
// phone open. The socket is closed at the ping after maxUnansweredPings without a pong.
const (
	PingInterval       = 60 * time.Second
	maxUnansweredPings = 2
)

// pingRepeatedly pings the socket until it is closed.
func (v *viewer) pingRepeatedly() {
	select {
	case <-v.wsConn.Closed():
		return
	default:
	}
	if v.wsConn.Ping() >= maxUnansweredPings {
		v.wsConn.Reset()
		return
	}
	time.AfterFunc(PingInterval, v.pingRepeatedly)
}
