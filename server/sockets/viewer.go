package sockets

import (
	"context"
	"time"

	"golang.org/x/time/rate"

	"onair/hub/wire"
	"onair/server/auth"
	"onair/server/broadcast"
)

// viewer is a client that looks on.
type viewer struct {
	*client
	likeLimiter *rate.Limiter // nil: it has not liked; owned by the reading goroutine

	isPinging bool // since it watched first; owned by the reading goroutine
}

// newViewer welcomes a viewer.
func (e *Server) newViewer(c *client) messageHandler {
	c.sendWelcome()
	return &viewer{client: c}
}

// checkNewIdentity lets a viewer become anybody with a valid token.
func (v *viewer) checkNewIdentity(_, _ auth.Identity) error { return nil }

func (v *viewer) onClose() {}

// handleRequest handles one message.
func (v *viewer) handleRequest(ctx context.Context, data []byte) error {
	m, err := wire.DecodeViewerRequest(data)
	if err != nil {
		return err
	}
	switch m := m.(type) {
	case *wire.Auth:
		return v.replaceIdentity(ctx, m)
	case *wire.Subscribe:
		return asError(v.server.Hub.Subscribe(v.Socket, m))
	case *wire.Unsubscribe:
		return asError(v.server.Hub.Unsubscribe(v.Socket, m))
	case *wire.Watch:
		if e := v.server.Hub.Watch(v.Socket, m); e != nil {
			return e
		}
		if !v.isPinging {
			v.isPinging = true
			time.AfterFunc(PingInterval, v.pingRepeatedly)
		}
		return nil
	case *wire.Unwatch:
		return asError(v.server.Hub.Unwatch(v.Socket, m))
	case *wire.Like:
		return v.handleLike(m)
	}
	return nil
}

// asError keeps a nil *wire.Error from becoming an error that is not nil.
func asError(e *wire.Error) error {
	if e == nil {
		return nil
	}
	return e
}

func (v *viewer) handleLike(m *wire.Like) error {
	st := v.server.Hub.StreamByCode(m.Code)
	if st == nil {
		return withRequestID(broadcast.NotLiveError(), m.ID)
	}
	if v.likeLimiter == nil {
		v.likeLimiter = broadcast.NewLikeLimiter()
	}
	if now := time.Now(); !v.likeLimiter.AllowN(now, m.N) {
		return withRequestID(broadcast.LikeLimitError(m.N), m.ID)
	}
	v.server.Node.AddLikes(st.Session, m.N)
	v.Send(&wire.Liked{ID: m.ID, Code: m.Code})
	return nil
}

// A socket that watches is pinged, for a proxy may keep the TCP side alive for
// a phone that is dead. After two pings without a pong it no longer counts.
const (
	PingInterval = 60 * time.Second
	maxLostPings = 2
)

func (v *viewer) pingRepeatedly() {
	select {
	case <-v.wsConn.Closed():
		return
	default:
	}
	if v.wsConn.Ping() >= maxLostPings {
		v.wsConn.CloseNow()
		return
	}
	time.AfterFunc(PingInterval, v.pingRepeatedly)
}
