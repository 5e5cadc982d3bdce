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
	likes *rate.Limiter // nil: it has not liked; owned by the reading goroutine

	pinged bool // since it watched first; owned by the reading goroutine
}

// serveViewer welcomes a viewer.
func (e *Endpoints) serveViewer(c *client) handler {
	c.sendWelcome()
	return &viewer{client: c}
}

// checkIdentity lets a viewer become anybody with a valid token.
func (v *viewer) checkIdentity(_, _ auth.Identity) error { return nil }

func (v *viewer) onClose() {}

// handle handles one message.
func (v *viewer) handle(ctx context.Context, data []byte) error {
	m, err := wire.DecodeViewerRequest(data)
	if err != nil {
		return err
	}
	switch m := m.(type) {
	case *wire.Auth:
		return v.authenticate(ctx, m)
	case *wire.Subscribe:
		return asError(v.endpoints.Hub.Subscribe(v.Out, m))
	case *wire.Unsubscribe:
		return asError(v.endpoints.Hub.Unsubscribe(v.Out, m))
	case *wire.Watch:
		if e := v.endpoints.Hub.Watch(v.Out, m); e != nil {
			return e
		}
		if !v.pinged {
			v.pinged = true
			time.AfterFunc(PingInterval, v.ping)
		}
		return nil
	case *wire.Unwatch:
		return asError(v.endpoints.Hub.Unwatch(v.Out, m))
	case *wire.Like:
		return v.like(m)
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

func (v *viewer) like(m *wire.Like) error {
	st := v.endpoints.Hub.StreamByCode(m.Code)
	if st == nil {
		return withID(broadcast.NotLiveError(), m.ID)
	}
	if v.likes == nil {
		v.likes = broadcast.NewLikesLimiter()
	}
	if now := time.Now(); !v.likes.AllowN(now, m.N) {
		return withID(broadcast.LikesLimitError(m.N), m.ID)
	}
	v.endpoints.Node.AddLikes(st.Session, m.N)
	v.Send(&wire.Liked{ID: m.ID, Code: m.Code})
	return nil
}

// A socket that watches is pinged, for a proxy may keep the TCP side alive for
// a phone that is dead. After two pings without a pong it no longer counts.
const (
	PingInterval = 60 * time.Second
	pingsLost    = 2
)

func (v *viewer) ping() {
	select {
	case <-v.conn.Closed():
		return
	default:
	}
	if v.conn.Ping() >= pingsLost {
		v.conn.CloseNow()
		return
	}
	time.AfterFunc(PingInterval, v.ping)
}
