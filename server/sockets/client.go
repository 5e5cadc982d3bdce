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

// messageHandler handles the messages of one client. The goroutine that reads the socket
// calls it.
type messageHandler interface {
	// handleRequest handles one message. Its error is sent to the client, with the id of
	// the message.
	handleRequest(ctx context.Context, m wire.Message) error
	// checkNewIdentity returns an error when a newer token may not replace the current one.
	checkNewIdentity(current, next auth.Identity) error
	// onClose is called once, after the socket is closed.
	onClose()
}

// client is one admitted socket.
type client struct {
	*admission.Conn

	// Static after construction.
	server     *Server
	id         string
	wsConn     *socket.Conn
	endpoint   *endpoint
	onReadable func() // readAvailableMessages, allocated once

	reader // owned by the reading goroutine

	mu                sync.Mutex // guards all below
	identity          auth.Identity
	expiryTimer       *time.Timer // runs checkExpiry; nil without a token
	isExpiryAnnounced bool
}

// reader is the state of the goroutine that reads a socket.
type reader struct {
	rateLimiter  *rate.Limiter
	burst        int // refused messages in a row that a socket survives
	refusedInRow int
	readError    error
	handler      messageHandler // nil until the client is authenticated
	authTimer    *time.Timer    // nil when the handshake authenticated the client
	isRejected   bool           // further messages are skipped
}

// Times in the life of a socket, as the protocol prescribes them.
const (
	AuthTimeout  = 5 * time.Second  // until the first message with a token
	expiryNotice = 60 * time.Second // from the announcement of a token's expiry to the expiry
)

// recoverPanic closes only this client when the handler of a message panics.
func (c *client) recoverPanic() {
	if recovered := recover(); recovered != nil {
		c.server.Recovery.RecordPanic(recovered, c.endpoint.connKind+" socket")
		c.Close(wire.CloseInternal, "the server failed at this message")
		c.closeAndRemove()
	}
}

// closeAndRemove closes an admitted client after its last read, and removes it from Admission.
func (c *client) closeAndRemove() {
	c.server.Log.Debug().Err(c.readError).Str("connection", c.id).Str("socket", c.endpoint.connKind).Msg("socket closed")
	c.closeAndCount()
	c.server.Admission.Remove(c.Conn)
}

// closeAndCount closes the socket, stops the timers, and counts the close.
func (c *client) closeAndCount() {
	c.mu.Lock()
	if c.expiryTimer != nil {
		c.expiryTimer.Stop()
	}
	c.mu.Unlock()
	if c.authTimer != nil {
		c.authTimer.Stop()
	}
	c.Socket.Close()
	c.server.Admission.CountClose(c.endpoint.connKind, c.firstCloseCode())
	if c.handler != nil {
		c.handler.onClose()
	}
}

// firstCloseCode is the close code of the side that closed the socket first.
func (c *client) firstCloseCode() websocket.StatusCode {
	violation, isViolation := errors.AsType[*socket.ViolationError](c.readError)
	switch code := websocket.CloseStatus(c.readError); {
	case c.CloseCode() != 0:
		return c.CloseCode()
	case isViolation:
		return violation.Code
	case code != -1:
		return code
	}
	return websocket.StatusAbnormalClosure
}

// handleFirstMessage authenticates a client by its first message, which must have a token.
func (c *client) handleFirstMessage(ctx context.Context, message []byte) {
	c.authTimer.Stop()
	m, err := wire.DecodeViewerRequest(message) // auth is the same on both endpoints
	a, isAuth := m.(*wire.Auth)
	if err != nil || !isAuth {
		var id wire.ID
		if malformed, ok := errors.AsType[*wire.Error](err); ok {
			id = malformed.ID
		}
		c.rejectAndClose(id, &wire.Error{Code: wire.CodeUnauthorized, Message: "the first message must be auth, with a token"})
		return
	}
	identity, err := c.server.Runtime.VerifyToken(ctx, a.Token)
	if err == nil {
		err = c.endpoint.checkRole(identity)
	}
	if err != nil {
		c.rejectAndClose(a.ID, err)
		return
	}
	c.setIdentity(identity)
	c.handler = c.endpoint.startHandler(c)
}

// rejectAndClose answers a request with an error and closes the socket. Further messages are skipped.
func (c *client) rejectAndClose(id wire.ID, err error) {
	e := response.WireErrorOrUnavailable(err)
	e.ID = id
	c.isRejected = true
	c.Send(e)
	c.Close(wire.CloseUnauthorized, string(e.Code))
}

// setIdentity sets the identity of the client, which is valid until its token expires.
func (c *client) setIdentity(identity auth.Identity) {
	c.server.Admission.SetRole(c.Conn, string(identity.Role))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.identity, c.isExpiryAnnounced = identity, false
	if c.expiryTimer != nil {
		c.expiryTimer.Stop()
	}
	c.expiryTimer = time.AfterFunc(max(0, time.Until(identity.ExpiresAt)-expiryNotice), c.checkExpiry)
}

// checkExpiry announces that the token will expire. After the expiry it closes the socket.
func (c *client) checkExpiry() {
	c.mu.Lock()
	remaining := time.Until(c.identity.ExpiresAt)
	isAnnounced, expiresAt := c.isExpiryAnnounced, c.identity.ExpiresAt.UnixMilli()
	c.isExpiryAnnounced = true
	switch {
	case remaining > expiryNotice: // a newer token has replaced it
		c.mu.Unlock()
		return
	case remaining > 0:
		c.expiryTimer.Reset(remaining)
	}
	c.mu.Unlock()
	if remaining <= 0 {
		c.Close(wire.CloseUnauthorized, "the token has expired")
	} else if !isAnnounced {
		c.Send(&wire.TokenExpiring{ExpiresAt: expiresAt})
	}
}

func (c *client) currentIdentity() auth.Identity {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.identity
}

// sendWelcome sends the first message to the client.
func (c *client) sendWelcome() {
	settings, cfg := c.server.Broadcasts.Settings(), c.server.Runtime.Current()
	c.Send(&wire.Welcome{
		Node: cfg.Node, Build: buildinfo.Version(), Connection: c.id, ServerTime: time.Now().UnixMilli(),
		HeartbeatMS: settings.Interval, MissedLimit: int(settings.Missed), IdleMS: cfg.Idle.Milliseconds(),
	})
}

// readAvailableMessages handles the messages that can be read without blocking, until the socket is
// closed. It runs again when the socket is readable.
func (c *client) readAvailableMessages() {
	defer c.recoverPanic()
	ctx := context.Background()
	for {
		message, err := c.wsConn.Read(ctx)
		switch {
		case err == socket.ErrWouldBlock:
			c.wsConn.NotifyReadable(c.onReadable)
			return
		case err != nil:
			c.readError = err
			c.closeAndRemove()
			return
		case c.isRejected:
		case c.handler == nil:
			c.handleFirstMessage(ctx, message)
		case c.allowMessageOrReject():
			c.handleMessage(ctx, message)
		}
	}
}

// handleMessage handles a message and sends its error.
func (c *client) handleMessage(ctx context.Context, message []byte) {
	m, err := c.endpoint.decodeRequest(message)
	if err == nil {
		err = c.handler.handleRequest(ctx, m)
	}
	if err == nil {
		return
	}
	e, ok := errors.AsType[*wire.Error](err)
	if !ok {
		c.server.Log.Error().Err(err).Str("connection", c.id).Str("socket", c.endpoint.connKind).Msg("message handling failed")
		e = &wire.Error{Code: wire.CodeUnavailable, Message: "the server failed at this message"}
	}
	if m != nil { // otherwise the decoder has set the id
		_, e.ID = wire.Head(m)
	}
	c.Send(e)
}

// allowMessageOrReject reports whether the rate limit allows a message. It answers only the first
// of several refused messages, so that a flood does not fill the socket with errors. It
// closes the socket of a client that does not slow down.
func (c *client) allowMessageOrReject() bool {
	now := time.Now()
	if c.rateLimiter.AllowN(now, 1) {
		if c.rateLimiter.TokensAt(now) >= 1 { // the client has slowed down
			c.refusedInRow = 0
		}
		return true
	}
	c.refusedInRow++
	switch {
	case c.refusedInRow > c.burst:
		c.Close(wire.CloseRateLimited, "too many messages")
	case c.refusedInRow == 1:
		c.Send(&wire.Error{
			Code: wire.CodeRateLimited, Message: "too many messages on this socket",
			RetryAfterMS: max(1, time.Duration(float64(time.Second)/float64(c.rateLimiter.Limit())).Milliseconds()),
		})
	}
	return false
}

// replaceIdentityOrReject verifies a newer token and replaces the identity of the client with it.
func (c *client) replaceIdentityOrReject(ctx context.Context, m *wire.Auth) error {
	identity, err := c.server.Runtime.VerifyToken(ctx, m.Token)
	if err == nil {
		err = c.handler.checkNewIdentity(c.currentIdentity(), identity)
	}
	if err != nil {
		if response.WireErrorOrUnavailable(err).Code == wire.CodeUnauthorized {
			c.rejectAndClose(m.ID, err)
			return nil
		}
		return err
	}
	c.setIdentity(identity)
	c.Send(&wire.Authenticated{
		ID: m.ID, Sub: identity.Subject, Role: string(identity.Role), ExpiresAt: identity.ExpiresAt.UnixMilli(),
	})
	return nil
}
