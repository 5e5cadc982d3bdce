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

// messageHandler handles the messages of one kind of client.
type messageHandler interface {
	// handleRequest handles one message. A *wire.Error is sent to the client; the
	// goroutine that reads the socket calls it.
	handleRequest(ctx context.Context, data []byte) error
	// checkNewIdentity checks a newer token before it replaces the old one.
	checkNewIdentity(was, is auth.Identity) error
	// onClose is called once, when the socket is gone.
	onClose()
}

// client is one socket that was admitted, of any kind.
type client struct {
	*admission.Conn

	// Static after construction.
	server     *Server
	id         string
	wsConn     *socket.Conn
	endpoint   *endpoint
	onReadable func() // listen

	reader // owned by the reading goroutine

	mu                sync.Mutex // guards all below
	identity          auth.Identity
	expiryTimer       *time.Timer // of the token: first it is announced
	isExpiryAnnounced bool
}

// reader is the state of the goroutine that reads a socket.
type reader struct {
	rateLimiter  *rate.Limiter
	burst        int // how many messages that come too fast are allowed
	refusedInRow int // messages that came too fast since the client was last slower
	readError    error
	handler      messageHandler // nil: there is no token yet
	authTimer    *time.Timer    // until the first message, where that brings the token
	isRejected   bool           // messages are no longer handled
}

// Times of a socket's life, from the protocol.
const (
	AuthTimeout  = 5 * time.Second  // a first message with a token must come
	expiryNotice = 60 * time.Second // a token's expiry is announced
)

// recoverPanic ends a client whose message made a handler panic, and no other.
func (c *client) recoverPanic() {
	if p := recover(); p != nil {
		c.server.Recovery.RecordPanic(p, c.endpoint.connKind+" socket")
		c.Close(wire.CloseInternal, "the server failed at this message")
		c.endConnection()
	}
}

// release ends all of a socket whose reading has ended.
func (c *client) release() {
	c.mu.Lock()
	if c.expiryTimer != nil {
		c.expiryTimer.Stop()
	}
	c.mu.Unlock()
	if c.authTimer != nil {
		c.authTimer.Stop()
	}
	c.Socket.Close()
	c.server.Admission.CountClose(c.endpoint.connKind, c.closeStatus())
	if c.handler != nil {
		c.handler.onClose()
	}
}

// closeStatus is what the socket was closed with, by whichever side was first.
func (c *client) closeStatus() websocket.StatusCode {
	broke, ok := errors.AsType[*socket.ViolationError](c.readError)
	switch code := websocket.CloseStatus(c.readError); {
	case c.CloseCode() != 0:
		return c.CloseCode()
	case ok:
		return broke.Code
	case code != -1:
		return code
	}
	return websocket.StatusAbnormalClosure
}

// handleFirstMessage handles the first message of a client without a token, which
// must bring one. Messages of a client that is rejected are no longer handled.
func (c *client) handleFirstMessage(ctx context.Context, data []byte) {
	c.authTimer.Stop()
	m, err := wire.DecodeViewerRequest(data) // auth is the same on both sockets
	a, ok := m.(*wire.Auth)
	if err != nil || !ok {
		c.reject(err, &wire.Error{Code: wire.CodeUnauthorized, Message: "the first message must be auth, with a token"})
		return
	}
	who, err := c.server.Tokens.VerifyToken(ctx, a.Token)
	if err == nil {
		err = c.endpoint.checkRole(who)
	}
	if err != nil {
		c.reject(nil, response.WireError(withRequestID(err, a.ID)))
		return
	}
	c.setIdentity(who)
	c.handler = c.endpoint.newHandler(c)
}

// reject sends an error and closes the socket. The error has the id of the message
// whose decoding failed with err, which may be nil.
func (c *client) reject(err error, e *wire.Error) {
	if bad, ok := errors.AsType[*wire.Error](err); ok {
		e.ID = bad.ID
	}
	c.isRejected = true
	c.Send(e)
	c.Close(wire.CloseUnauthorized, string(e.Code))
}

// setIdentity sets who the client is, until the token expires.
func (c *client) setIdentity(who auth.Identity) {
	c.server.Admission.SetRole(c.Conn, string(who.Role))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.identity, c.isExpiryAnnounced = who, false
	if c.expiryTimer != nil {
		c.expiryTimer.Stop()
	}
	c.expiryTimer = time.AfterFunc(max(0, time.Until(who.ExpiresAt)-expiryNotice), c.checkExpiry)
}

// checkExpiry announces that the token will end, and then ends the socket.
func (c *client) checkExpiry() {
	c.mu.Lock()
	left := time.Until(c.identity.ExpiresAt)
	warned, at := c.isExpiryAnnounced, c.identity.ExpiresAt.UnixMilli()
	c.isExpiryAnnounced = true
	switch {
	case left > expiryNotice: // there is a newer one since
		c.mu.Unlock()
		return
	case left > 0:
		c.expiryTimer.Reset(left)
	}
	c.mu.Unlock()
	if left <= 0 {
		c.Close(wire.CloseUnauthorized, "the token has expired")
	} else if !warned {
		c.Send(&wire.TokenExpiring{ExpiresAt: at})
	}
}

func (c *client) currentIdentity() auth.Identity {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.identity
}

// sendWelcome sends the first message.
func (c *client) sendWelcome() {
	settings, cfg := c.server.Broadcasts.Settings(), c.server.Runtime.Current()
	c.Send(&wire.Welcome{
		Node: cfg.Node, Build: buildinfo.Version(), Connection: c.id, ServerTime: time.Now().UnixMilli(),
		HeartbeatMS: settings.Interval, MissedLimit: int(settings.Missed), IdleMS: cfg.Idle.Milliseconds(),
	})
}

// readMessages reads as long as there is something to read, and until the socket is
// gone.
func (c *client) readMessages() {
	defer c.recoverPanic()
	ctx := context.Background()
	for {
		data, err := c.wsConn.Read(ctx)
		switch {
		case err == socket.ErrWouldBlock:
			c.wsConn.NotifyReadable(c.onReadable)
			return
		case err != nil:
			c.readError = err
			c.endConnection()
			return
		case c.isRejected:
		case c.handler == nil:
			c.handleFirstMessage(ctx, data)
		case c.allowMessage():
			c.handleMessage(ctx, data)
		}
	}
}

// handleMessage handles a message, and sends its error.
func (c *client) handleMessage(ctx context.Context, data []byte) {
	err := c.handler.handleRequest(ctx, data)
	if err == nil {
		return
	}
	e, ok := errors.AsType[*wire.Error](err)
	if !ok {
		c.server.Log.Error().Err(err).Str("connection", c.id).Str("socket", c.endpoint.connKind).Msg("message not handled")
		e = &wire.Error{Code: wire.CodeUnavailable, Message: "the server could not handle this message"}
	}
	c.Send(e)
}

// endConnection ends a client that was admitted.
func (c *client) endConnection() {
	c.server.Log.Debug().Err(c.readError).Str("connection", c.id).Str("socket", c.endpoint.connKind).Msg("socket closed")
	c.release()
	c.server.Admission.Remove(c.Conn)
}

// allowMessage refuses messages that come too fast, and closes the socket of a
// client that goes on. Only the first of a run is answered: a flood is not to
// fill the socket's queue with its own refusals.
func (c *client) allowMessage() bool {
	now := time.Now()
	if c.rateLimiter.AllowN(now, 1) {
		if c.rateLimiter.TokensAt(now) >= 1 { // else it is as fast as before
			c.refusedInRow = 0
		}
		return true
	}
	c.refusedInRow++
	if c.refusedInRow > c.burst {
		c.Close(wire.CloseRateLimited, "too many messages")
		return false
	}
	if c.refusedInRow > 1 {
		return false
	}
	e := &wire.Error{Code: wire.CodeRateLimited, Message: "too many messages on this socket"}
	e.RetryAfterMS = max(1, time.Duration(float64(time.Second)/float64(c.rateLimiter.Limit())).Milliseconds())
	c.Send(e)
	return false
}

// replaceIdentity replaces the token of an open socket.
func (c *client) replaceIdentity(ctx context.Context, m *wire.Auth) error {
	who, err := c.server.Tokens.VerifyToken(ctx, m.Token)
	if err == nil {
		err = c.handler.checkNewIdentity(c.currentIdentity(), who)
	}
	if err != nil {
		if e := response.WireError(withRequestID(err, m.ID)); e.Code == wire.CodeUnauthorized {
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
