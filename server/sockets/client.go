package sockets

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/time/rate"

	"onair/hub/socket"
	"onair/hub/wire"
	"onair/server/admission"
	"onair/server/auth"
	"onair/server/buildinfo"
	"onair/server/response"
)

// handler handles the messages of one kind of client.
type handler interface {
	// handle handles one message. A *wire.Error is sent to the client; the
	// goroutine that reads the socket calls it.
	handle(ctx context.Context, data []byte) error
	// checkIdentity checks a newer token before it replaces the old one.
	checkIdentity(was, is auth.Identity) error
	// onClose is called once, when the socket is gone.
	onClose()
}

// client is one socket that was admitted, of any kind.
type client struct {
	*admission.Conn

	// Static after construction.
	endpoints *Endpoints
	id        string
	conn      *socket.Conn
	kind      *endpoint
	resume    func() // listen

	reader // owned by the reading goroutine

	mu     sync.Mutex // guards all below
	who    auth.Identity
	expiry *time.Timer // of the token: first it is announced
	warned bool
}

// reader is the state of the goroutine that reads a socket.
type reader struct {
	rate        *rate.Limiter
	burst       int // how many messages that come too fast are allowed
	refused     int // messages that came too fast since the client was last slower
	readError   error
	handler     handler     // nil: there is no token yet
	authTimeout *time.Timer // until the first message, where that brings the token
	isRejected  bool        // messages are no longer handled
}

// Times of a socket's life, from the protocol.
const (
	AuthTimeout = 5 * time.Second  // a first message with a token must come
	expiryAhead = 60 * time.Second // a token's expiry is announced
)

// recoverPanic ends a client whose message made a handler panic, and no other.
func (c *client) recoverPanic() {
	if p := recover(); p != nil {
		c.endpoints.Recovery.Record(p, c.kind.kind+" socket")
		c.Finish(wire.CloseInternal, "the server failed at this message")
		c.leave()
	}
}

// release ends all of a socket whose reading has ended.
func (c *client) release() {
	c.mu.Lock()
	if c.expiry != nil {
		c.expiry.Stop()
	}
	c.mu.Unlock()
	if c.authTimeout != nil {
		c.authTimeout.Stop()
	}
	c.Out.Close()
	c.endpoints.Admission.CountClose(c.kind.kind, c.closeStatus())
	if c.handler != nil {
		c.handler.onClose()
	}
}

// closeStatus is what the socket was closed with, by whichever side was first.
func (c *client) closeStatus() websocket.StatusCode {
	broke, ok := errors.AsType[*socket.ViolationError](c.readError)
	switch code := websocket.CloseStatus(c.readError); {
	case c.CloseCode() != 0:
		return websocket.StatusCode(c.CloseCode())
	case ok:
		return broke.Code
	case code != -1:
		return code
	}
	return websocket.StatusAbnormalClosure
}

// authenticateFirst handles the first message of a client without a token, which
// must bring one. Messages of a client that is rejected are no longer handled.
func (c *client) authenticateFirst(ctx context.Context, data []byte) {
	c.authTimeout.Stop()
	m, err := wire.DecodeViewerRequest(data) // auth is the same on both sockets
	a, ok := m.(*wire.Auth)
	if err != nil || !ok {
		c.reject(err, &wire.Error{Code: wire.CodeUnauthorized, Message: "the first message must be auth, with a token"})
		return
	}
	who, err := c.endpoints.Tokens.Verify(ctx, a.Token)
	if err == nil {
		err = c.kind.checkRole(who)
	}
	if err != nil {
		c.reject(nil, response.ErrorOf(withID(err, a.ID)))
		return
	}
	c.setIdentity(who)
	c.handler = c.kind.serve(c)
}

// reject sends an error and closes the socket. The error has the id of the message
// whose decoding failed with err, which may be nil.
func (c *client) reject(err error, e *wire.Error) {
	if bad, ok := errors.AsType[*wire.Error](err); ok {
		e.ID = bad.ID
	}
	c.isRejected = true
	c.Send(e)
	c.Finish(wire.CloseUnauthorized, string(e.Code))
}

// setIdentity sets who the client is, until the token expires.
func (c *client) setIdentity(who auth.Identity) {
	c.endpoints.Admission.SetRole(c.Conn, string(who.Role))
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
		c.Finish(wire.CloseUnauthorized, "the token has expired")
	} else if !warned {
		c.Send(&wire.TokenExpiring{ExpiresAt: at})
	}
}

func (c *client) identity() auth.Identity {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.who
}

// sendWelcome sends the first message.
func (c *client) sendWelcome() {
	settings, cfg := c.endpoints.Broadcasts.Settings(), c.endpoints.Runtime.Current()
	c.Send(&wire.Welcome{
		Node: cfg.Node, Build: buildinfo.Version(), Connection: c.id, ServerTime: time.Now().UnixMilli(),
		HeartbeatMS: settings.Interval, MissedLimit: int(settings.Missed), IdleMS: cfg.Idle.Milliseconds(),
	})
}

// listen reads as long as there is something to read, and until the socket is
// gone.
func (c *client) listen() {
	defer c.recoverPanic()
	ctx := context.Background()
	for {
		data, err := c.conn.Read(ctx)
		switch {
		case err == socket.ErrWouldBlock:
			c.conn.NotifyReadable(c.resume)
			return
		case err != nil:
			c.readError = err
			c.leave()
			return
		case c.isRejected:
		case c.handler == nil:
			c.authenticateFirst(ctx, data)
		case c.allowMessage():
			c.handleMessage(ctx, data)
		}
	}
}

// handleMessage handles a message, and sends its error.
func (c *client) handleMessage(ctx context.Context, data []byte) {
	err := c.handler.handle(ctx, data)
	if err == nil {
		return
	}
	e, ok := errors.AsType[*wire.Error](err)
	if !ok {
		c.endpoints.Log.Error().Err(err).Str("connection", c.id).Str("socket", c.kind.kind).Msg("message not handled")
		e = &wire.Error{Code: wire.CodeUnavailable, Message: "the server could not handle this message"}
	}
	c.Send(e)
}

// leave ends a client that was admitted.
func (c *client) leave() {
	c.endpoints.Log.Debug().Err(c.readError).Str("connection", c.id).Str("socket", c.kind.kind).Msg("socket closed")
	c.release()
	c.endpoints.Admission.Leave(c.Conn)
}

// allowMessage refuses messages that come too fast, and closes the socket of a
// client that goes on. Only the first of a run is answered: a flood is not to
// fill the socket's queue with its own refusals.
func (c *client) allowMessage() bool {
	now := time.Now()
	if c.rate.AllowN(now, 1) {
		if c.rate.TokensAt(now) >= 1 { // else it is as fast as before
			c.refused = 0
		}
		return true
	}
	c.refused++
	if c.refused > c.burst {
		c.Finish(wire.CloseRateLimited, "too many messages")
		return false
	}
	if c.refused > 1 {
		return false
	}
	e := &wire.Error{Code: wire.CodeRateLimited, Message: "too many messages on this socket"}
	e.RetryAfterMS = max(1, time.Duration(float64(time.Second)/float64(c.rate.Limit())).Milliseconds())
	c.Send(e)
	return false
}

// authenticate replaces the token of an open socket.
func (c *client) authenticate(ctx context.Context, m *wire.Auth) error {
	who, err := c.endpoints.Tokens.Verify(ctx, m.Token)
	if err == nil {
		err = c.handler.checkIdentity(c.identity(), who)
	}
	if err != nil {
		if e := response.ErrorOf(withID(err, m.ID)); e.Code == wire.CodeUnauthorized {
			c.reject(nil, e)
			return nil
		}
		return err
	}
	c.setIdentity(who)
	c.Send(&wire.Authenticated{
		ID: m.ID, Sub: who.Subject, Role: string(who.Role), ExpiresAt: who.ExpiresAt.UnixMilli(),
	})
	return nil
}
