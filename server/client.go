package main

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/oklog/ulid/v2"
	"golang.org/x/time/rate"

	"onair/hub/socket"
	"onair/hub/wire"
	"onair/server/auth"
)

// endpoint is one of the two sockets: what it asks of those who connect, and
// who listens to them.
type endpoint struct {
	name      string
	limit     func() int  // of an inbound message, in bytes
	anonymous func() bool // nobody in particular may connect
	only      auth.Role
	attend    func(*client) speaker // welcomes the client, and listens to it
}

// admits says why somebody may not open the socket, or nil.
func (k *endpoint) admits(who auth.Identity) *wire.Error {
	if k.only == "" || who.Role == k.only {
		return nil
	}
	return refuse(wire.CodeForbidden, "only tokens of role "+string(k.only)+" open this socket")
}

// speaker understands what one kind of client says.
type speaker interface {
	// hear takes one message. A *wire.Error is sent to the client; it is called
	// by the goroutine that reads the socket.
	hear(ctx context.Context, data []byte) error
	// identify checks a newer token before it is taken; nil takes it.
	identify(was, is auth.Identity) *wire.Error
	// left is called once, when the socket is gone.
	left()
}

// client is one socket that was let in, whatever it speaks.
type client struct {
	*guest

	// Static after construction.
	server *server
	id     string
	conn   *socket.Conn
	kind   *endpoint
	resume func() // listen

	// Owned by the reading goroutine.
	rate    *rate.Limiter
	refused int // messages that came too fast since the client was last slower
	burst   int // how many of them there may be
	ended   error
	speaker speaker     // nil: it is not known yet who it is
	late    *time.Timer // until the first message, where that brings the token
	deaf    bool        // it was not let in

	mu     sync.Mutex // guards all below
	who    auth.Identity
	expiry *time.Timer // of the token: first it is announced
	warned bool
}

// Times of a socket's life, from the protocol.
const (
	authWithin  = 5 * time.Second  // a first message with a token must come
	expiryAhead = 60 * time.Second // a token's expiry is announced
)

// serveSocket lets a client in. Its request is then done with: listen goes on
// without what net/http keeps for one.
func (s *server) serveSocket(kind *endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		place, e := s.gate.reserve(s.obstacle(kind))
		if e != nil {
			writeProblem(w, e)
			return
		}
		defer place.free()
		who, known, e := s.identify(r)
		if e == nil && known {
			e = kind.admits(who)
		}
		if e != nil {
			writeProblem(w, e)
			return
		}
		conn, err := socket.Accept(w, r, s.socketOptions(kind))
		if err != nil {
			s.refuseHandshake(w, kind, err)
			return
		}
		c := s.newClient(conn, kind, r)
		if !s.gate.enter(place, c.guest, roleUnknown) {
			c.finish(wire.CloseTooManySockets, "too many connections from this address")
			c.close()
			return
		}
		switch {
		case known:
			c.trust(who)
			c.attend()
		case kind.anonymous():
			s.gate.introduce(c.guest, roleAnonymous)
			c.attend()
		default:
			c.late = time.AfterFunc(authWithin, func() { c.finish(wire.CloseNoAuth, "no auth came in time") })
		}
		go c.listen()
	}
}

// obstacle says why this node takes no more sockets of a kind, or "". Anchors
// are few, and would be missed on the list; viewers find another node.
func (s *server) obstacle(kind *endpoint) string {
	switch anchor := kind.only == auth.Anchor; {
	case anchor && s.node.IsIsolated():
		return cutOff
	case !anchor && s.hub.IsOverloaded():
		return overloaded
	}
	return ""
}

// attend welcomes a client that is let in.
func (c *client) attend() { c.speaker = c.kind.attend(c) }

// survive ends a client whose message made a handler panic, and no more.
func (c *client) survive() {
	if p := recover(); p != nil {
		c.server.panicked(p, c.kind.name+" socket")
		c.finish(wire.CloseInternal, "the server failed at this message")
		c.leave()
	}
}

// refuseHandshake answers a request that did not become a socket.
func (s *server) refuseHandshake(w http.ResponseWriter, kind *endpoint, err error) {
	s.log.Debug().Err(err).Str("socket", kind.name).Msg("handshake refused")
	if refused, ok := errors.AsType[*socket.UpgradeError](err); ok {
		writeStatus(w, refused.Status, refuse(wire.CodeBadRequest, refused.Reason))
	}
}

func (s *server) newClient(conn *socket.Conn, kind *endpoint, r *http.Request) *client {
	id := ulid.Make().String()
	limits := s.now().cfg.Limits
	c := &client{
		guest:  &guest{kind: kind.name, address: s.addressOf(r)},
		server: s, id: id, conn: conn, kind: kind,
		rate: rate.NewLimiter(rate.Limit(limits.Rate), limits.Burst), burst: limits.Burst,
	}
	c.resume = c.listen
	if kind.only == auth.Anchor {
		c.out = s.hub.AttachAnchor(conn)
	} else {
		c.out = s.hub.Attach(conn)
	}
	return c
}

// close lets go of a socket whose reading has ended.
func (c *client) close() {
	c.mu.Lock()
	if c.expiry != nil {
		c.expiry.Stop()
	}
	c.mu.Unlock()
	if c.late != nil {
		c.late.Stop()
	}
	c.out.Close()
	c.server.metrics.closed(c.kind.name, c.closeCode())
	if c.speaker != nil {
		c.speaker.left()
	}
}

// closeCode is what the socket was closed with, by whichever side was first.
func (c *client) closeCode() websocket.StatusCode {
	broke, ok := errors.AsType[*socket.ViolationError](c.ended)
	switch code := websocket.CloseStatus(c.ended); {
	case c.code() != 0:
		return websocket.StatusCode(c.code())
	case ok:
		return broke.Code
	case code != -1:
		return code
	}
	return websocket.StatusAbnormalClosure
}

// admit takes the first message of a client that has brought no token: it must
// be one. Whoever is not let in is not listened to any more.
func (c *client) admit(ctx context.Context, data []byte) {
	c.late.Stop()
	m, err := wire.DecodeViewerRequest(data) // auth is the same on both sockets
	a, ok := m.(*wire.Auth)
	if err != nil || !ok {
		c.refuse(err, refuse(wire.CodeUnauthorized, "the first message must be auth, with a token"))
		return
	}
	who, e := c.server.verify(ctx, a.Token)
	if e == nil {
		e = c.kind.admits(who)
	}
	if e != nil {
		e.ID = a.ID
		c.refuse(nil, e)
		return
	}
	c.trust(who)
	c.attend()
}

// refuse sends the error and closes the socket of a client that is not let in.
func (c *client) refuse(err error, e *wire.Error) {
	if bad, ok := errors.AsType[*wire.Error](err); ok {
		e.ID = bad.ID
	}
	c.deaf = true
	c.send(e)
	c.finish(wire.CloseUnauthorized, string(e.Code))
}

// trust takes an identity, and arms its expiry.
func (c *client) trust(who auth.Identity) {
	c.server.gate.introduce(c.guest, string(who.Role))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.who, c.warned = who, false
	if c.expiry != nil {
		c.expiry.Stop()
	}
	c.expiry = time.AfterFunc(max(0, time.Until(who.ExpiresAt)-expiryAhead), c.expire)
}

// expire announces that the token will end, and then ends the socket.
func (c *client) expire() {
	c.mu.Lock()
	left := time.Until(c.who.ExpiresAt)
	warned, at := c.warned, c.who.ExpiresAt.UnixMilli()
	c.warned = true
	switch {
	case left > expiryAhead: // there is a newer one since
		c.mu.Unlock()
		return
	case left > 0:
		c.expiry.Reset(left)
	}
	c.mu.Unlock()
	if left <= 0 {
		c.finish(wire.CloseUnauthorized, "the token has expired")
	} else if !warned {
		c.send(&wire.TokenExpiring{ExpiresAt: at})
	}
}

func (c *client) identity() auth.Identity {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.who
}

// welcome says what the client must know. It is the first message.
func (c *client) welcome() {
	settings := c.server.settings()
	c.send(&wire.Welcome{
		Node: c.server.cfg.Node, Build: version(), Connection: c.id, ServerTime: time.Now().UnixMilli(),
		HeartbeatMS: settings.Interval, MissedLimit: int(settings.Missed), IdleMS: c.server.cfg.Idle.Milliseconds(),
	})
}

// listen reads as long as there is something to read, and until the socket is
// gone.
func (c *client) listen() {
	defer c.survive()
	ctx := context.Background()
	for {
		data, err := c.conn.Read(ctx)
		switch {
		case err == socket.ErrWouldBlock:
			c.conn.NotifyReadable(c.resume)
			return
		case err != nil:
			c.ended = err
			c.leave()
			return
		case c.deaf:
		case c.speaker == nil:
			c.admit(ctx, data)
		case c.mayspeak():
			c.hear(ctx, data)
		}
	}
}

// hear has the speaker take a message, and says what was wrong with it.
func (c *client) hear(ctx context.Context, data []byte) {
	err := c.speaker.hear(ctx, data)
	if err == nil {
		return
	}
	e, ok := errors.AsType[*wire.Error](err)
	if !ok {
		c.server.log.Error().Err(err).Str("connection", c.id).Str("socket", c.kind.name).Msg("message not handled")
		e = refuse(wire.CodeUnavailable, "the server could not handle this message")
	}
	c.send(e)
}

// leave is the end of a client that was let in through the gate.
func (c *client) leave() {
	c.server.log.Debug().Err(c.ended).Str("connection", c.id).Str("socket", c.kind.name).Msg("socket closed")
	c.close()
	c.server.gate.leave(c.guest)
}

// mayspeak refuses messages that come too fast, and closes the socket of a
// client that goes on. Only the first of a run is answered: a flood is not to
// fill the socket's queue with its own refusals.
func (c *client) mayspeak() bool {
	now := time.Now()
	if c.rate.AllowN(now, 1) {
		if c.rate.TokensAt(now) >= 1 { // else it is as fast as before
			c.refused = 0
		}
		return true
	}
	c.refused++
	if c.refused > c.burst {
		c.finish(wire.CloseRateLimited, "too many messages")
		return false
	}
	if c.refused > 1 {
		return false
	}
	e := refuse(wire.CodeRateLimited, "too many messages on this socket")
	e.RetryAfterMS = max(1, time.Duration(float64(time.Second)/float64(c.rate.Limit())).Milliseconds())
	c.send(e)
	return false
}

// authenticate takes a newer token on a socket that was let in.
func (c *client) authenticate(ctx context.Context, m *wire.Auth) error {
	who, e := c.server.verify(ctx, m.Token)
	if e == nil {
		e = c.speaker.identify(c.identity(), who)
	}
	if e != nil {
		e.ID = m.ID
		if e.Code == wire.CodeUnauthorized {
			c.refuse(nil, e)
			return nil
		}
		return e
	}
	c.trust(who)
	c.send(&wire.Authenticated{
		ID: m.ID, Sub: who.Subject, Role: string(who.Role), ExpiresAt: who.ExpiresAt.UnixMilli(),
	})
	return nil
}
