package main

import (
	"context"
	"time"

	"golang.org/x/time/rate"

	"onair/hub/wire"
	"onair/server/auth"
)

// viewer is a client that looks on.
type viewer struct {
	*client
	likes *rate.Limiter // nil: it has not liked; owned by the reading goroutine

	pinged bool // since it watched first; owned by the reading goroutine
}

func (s *server) attendViewer(c *client) speaker {
	c.welcome()
	return &viewer{client: c}
}

// identify lets a viewer become anybody with a valid token.
func (v *viewer) identify(_, _ auth.Identity) *wire.Error { return nil }

func (v *viewer) left() {}

// hear takes one message.
func (v *viewer) hear(ctx context.Context, data []byte) error {
	m, err := wire.DecodeViewerRequest(data)
	if err != nil {
		return err
	}
	switch m := m.(type) {
	case *wire.Auth:
		return v.authenticate(ctx, m)
	case *wire.Subscribe:
		return asError(v.server.hub.Subscribe(v.out, m))
	case *wire.Unsubscribe:
		return asError(v.server.hub.Unsubscribe(v.out, m))
	case *wire.Watch:
		if e := v.server.hub.Watch(v.out, m); e != nil {
			return e
		}
		if !v.pinged {
			v.pinged = true
			time.AfterFunc(pingEvery, v.ping)
		}
		return nil
	case *wire.Unwatch:
		return asError(v.server.hub.Unwatch(v.out, m))
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
	st := v.server.hub.StreamByCode(m.Code)
	if st == nil {
		return withID(notLive(), m.ID)
	}
	if v.likes == nil {
		v.likes = newLikesLimiter()
	}
	if now := time.Now(); !v.likes.AllowN(now, m.N) {
		return withID(likeLimit(m.N), m.ID)
	}
	v.server.node.AddLikes(st.Session, m.N)
	v.send(&wire.Liked{ID: m.ID, Code: m.Code})
	return nil
}

// A socket that watches is pinged, for a proxy may keep the TCP side alive for
// a phone that is dead. After two pings without a pong it no longer counts.
const (
	pingEvery = 60 * time.Second
	pingsLost = 2
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
	time.AfterFunc(pingEvery, v.ping)
}
