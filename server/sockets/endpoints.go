package sockets

import (
	"errors"
	"net/http"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/rs/zerolog"
	"golang.org/x/time/rate"

	"onair/hub"
	"onair/hub/socket"
	"onair/hub/wire"
	presencenode "onair/presence/node"
	"onair/server/admission"
	"onair/server/auth"
	"onair/server/broadcast"
	"onair/server/recovery"
	"onair/server/response"
	"onair/server/runtimeconfig"
	"onair/server/tokens"
	"onair/server/urls"
)

// Server serve the sockets of anchors and viewers. All fields must be set
// before the first socket comes, except Poller.
type Server struct {
	Node        *presencenode.Node
	Hub         *hub.Hub
	Attachments *Attachments
	Broadcasts  *broadcast.Service

	Runtime   *runtimeconfig.Store
	Admission *admission.Admission
	Tokens    *tokens.Verifier
	URLs      *urls.Signer
	Recovery  *recovery.Recovery
	Poller    *socket.Poller // nil: sockets are read by a goroutine each
	Log       zerolog.Logger
}

// endpoint is one of the two sockets: its limits, who may open it, and what
// handles its messages.
type endpoint struct {
	connKind        string
	role            auth.Role  // "": any
	maxMessageBytes func() int // in bytes
	allowAnonymous  func() bool
	newHandler      func(*client) messageHandler // welcomes the client
}

// AnchorHandler serves the sockets of anchors.
func (e *Server) AnchorHandler() http.HandlerFunc {
	return e.newHTTPHandler(&endpoint{
		connKind: admission.KindAnchor, role: auth.Anchor, maxMessageBytes: func() int { return e.Runtime.Current().Limits.Message },
		allowAnonymous: func() bool { return false }, newHandler: e.newAnchor,
	})
}

// ViewerHandler serves the sockets of viewers.
func (e *Server) ViewerHandler() http.HandlerFunc {
	return e.newHTTPHandler(&endpoint{
		connKind: admission.KindViewer, maxMessageBytes: func() int { return e.Runtime.Current().Limits.ViewerMessage },
		allowAnonymous: func() bool { return e.Runtime.Current().Viewer.Anonymous }, newHandler: e.newViewer,
	})
}

// checkRole returns an error when an identity may not open the socket.
func (k *endpoint) checkRole(who auth.Identity) error {
	if k.role == "" || who.Role == k.role {
		return nil
	}
	return &wire.Error{Code: wire.CodeForbidden, Message: "only tokens of role " + string(k.role) + " open this socket"}
}

// newHTTPHandler opens sockets. The request ends with the handshake: listen goes on
// without what net/http keeps for one.
func (e *Server) newHTTPHandler(kind *endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		reservation, err := e.Admission.Reserve(e.rejection(kind))
		if err != nil {
			response.WriteProblem(w, err)
			return
		}
		defer reservation.Release()
		who, hasToken, err := e.Tokens.VerifyRequest(r)
		if err == nil && hasToken {
			err = kind.checkRole(who)
		}
		if err != nil {
			response.WriteProblem(w, err)
			return
		}
		conn, err := socket.Accept(w, r, socket.Options{
			ReadLimit: kind.maxMessageBytes(), Poller: e.Poller, OriginPatterns: e.Runtime.Current().Origins,
		})
		if err != nil {
			e.rejectHandshake(w, kind, err)
			return
		}
		c := e.newClient(conn, kind, r)
		if !e.Admission.Admit(reservation, c.Conn, admission.RoleUnknown) {
			c.Close(wire.CloseTooManySockets, "too many connections from this address")
			c.release()
			return
		}
		switch {
		case hasToken:
			c.setIdentity(who)
			c.handler = kind.newHandler(c)
		case kind.allowAnonymous():
			e.Admission.SetRole(c.Conn, admission.RoleAnonymous)
			c.handler = kind.newHandler(c)
		default:
			c.authTimer = time.AfterFunc(AuthTimeout, func() { c.Close(wire.CloseNoAuth, "no auth came in time") })
		}
		go c.readMessages()
	}
}

// rejection is why this node takes no more sockets of a kind, or "". Anchors are
// few, and would be missed on the list; viewers find another node.
func (e *Server) rejection(kind *endpoint) admission.Rejection {
	switch isAnchor := kind.role == auth.Anchor; {
	case isAnchor && e.Node.IsIsolated():
		return admission.RejectionIsolated
	case !isAnchor && e.Hub.IsOverloaded():
		return admission.RejectionOverloaded
	}
	return ""
}

// rejectHandshake answers a request that did not become a socket.
func (e *Server) rejectHandshake(w http.ResponseWriter, kind *endpoint, err error) {
	e.Log.Debug().Err(err).Str("socket", kind.connKind).Msg("handshake refused")
	if refused, ok := errors.AsType[*socket.UpgradeError](err); ok {
		response.WriteProblemStatus(w, refused.Status, &wire.Error{Code: wire.CodeBadRequest, Message: refused.Reason})
	}
}

func (e *Server) newClient(conn *socket.Conn, kind *endpoint, r *http.Request) *client {
	runtime := e.Runtime.Current()
	c := &client{
		Conn:   &admission.Conn{Kind: kind.connKind, Address: admission.ClientAddress(r, runtime.Proxies).String()},
		server: e, id: ulid.Make().String(), wsConn: conn, endpoint: kind,
		reader: reader{rateLimiter: rate.NewLimiter(rate.Limit(runtime.Limits.Rate), runtime.Limits.Burst), burst: runtime.Limits.Burst},
	}
	c.onReadable = c.readMessages
	if kind.role == auth.Anchor {
		c.Socket = e.Hub.AttachAnchor(conn)
	} else {
		c.Socket = e.Hub.Attach(conn)
	}
	return c
}
