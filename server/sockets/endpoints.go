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

// Endpoints serve the sockets of anchors and viewers. All fields must be set
// before the first socket comes, except Poller.
type Endpoints struct {
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
	kind           string
	role           auth.Role  // "": any
	messageLimit   func() int // in bytes
	allowAnonymous func() bool
	serve          func(*client) handler // welcomes the client
}

// Anchors serves the sockets of anchors.
func (e *Endpoints) Anchors() http.HandlerFunc {
	return e.handler(&endpoint{
		kind: admission.KindAnchor, role: auth.Anchor, messageLimit: func() int { return e.Runtime.Current().Limits.Message },
		allowAnonymous: func() bool { return false }, serve: e.serveAnchor,
	})
}

// Viewers serves the sockets of viewers.
func (e *Endpoints) Viewers() http.HandlerFunc {
	return e.handler(&endpoint{
		kind: admission.KindViewer, messageLimit: func() int { return e.Runtime.Current().Limits.ViewerMessage },
		allowAnonymous: func() bool { return e.Runtime.Current().Viewer.Anonymous }, serve: e.serveViewer,
	})
}

// checkRole returns an error when an identity may not open the socket.
func (k *endpoint) checkRole(who auth.Identity) error {
	if k.role == "" || who.Role == k.role {
		return nil
	}
	return &wire.Error{Code: wire.CodeForbidden, Message: "only tokens of role " + string(k.role) + " open this socket"}
}

// handler opens sockets. The request ends with the handshake: listen goes on
// without what net/http keeps for one.
func (e *Endpoints) handler(kind *endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		reservation, err := e.Admission.Reserve(e.rejection(kind))
		if err != nil {
			response.WriteProblem(w, err)
			return
		}
		defer reservation.Release()
		who, hasToken, err := e.Tokens.FromRequest(r)
		if err == nil && hasToken {
			err = kind.checkRole(who)
		}
		if err != nil {
			response.WriteProblem(w, err)
			return
		}
		conn, err := socket.Accept(w, r, socket.Options{
			ReadLimit: kind.messageLimit(), Poller: e.Poller, OriginPatterns: e.Runtime.Current().Origins,
		})
		if err != nil {
			e.rejectHandshake(w, kind, err)
			return
		}
		c := e.newClient(conn, kind, r)
		if !e.Admission.Enter(reservation, c.Conn, admission.RoleUnknown) {
			c.Finish(wire.CloseTooManySockets, "too many connections from this address")
			c.release()
			return
		}
		switch {
		case hasToken:
			c.setIdentity(who)
			c.handler = kind.serve(c)
		case kind.allowAnonymous():
			e.Admission.SetRole(c.Conn, admission.RoleAnonymous)
			c.handler = kind.serve(c)
		default:
			c.authTimeout = time.AfterFunc(AuthTimeout, func() { c.Finish(wire.CloseNoAuth, "no auth came in time") })
		}
		go c.listen()
	}
}

// rejection is why this node takes no more sockets of a kind, or "". Anchors are
// few, and would be missed on the list; viewers find another node.
func (e *Endpoints) rejection(kind *endpoint) string {
	switch isAnchor := kind.role == auth.Anchor; {
	case isAnchor && e.Node.IsIsolated():
		return admission.Isolated
	case !isAnchor && e.Hub.IsOverloaded():
		return admission.Overloaded
	}
	return ""
}

// rejectHandshake answers a request that did not become a socket.
func (e *Endpoints) rejectHandshake(w http.ResponseWriter, kind *endpoint, err error) {
	e.Log.Debug().Err(err).Str("socket", kind.kind).Msg("handshake refused")
	if refused, ok := errors.AsType[*socket.UpgradeError](err); ok {
		response.WriteProblemStatus(w, refused.Status, &wire.Error{Code: wire.CodeBadRequest, Message: refused.Reason})
	}
}

func (e *Endpoints) newClient(conn *socket.Conn, kind *endpoint, r *http.Request) *client {
	runtime := e.Runtime.Current()
	c := &client{
		Conn:      &admission.Conn{Kind: kind.kind, Address: admission.ClientAddress(r, runtime.Proxies).String()},
		endpoints: e, id: ulid.Make().String(), conn: conn, kind: kind,
		reader: reader{rate: rate.NewLimiter(rate.Limit(runtime.Limits.Rate), runtime.Limits.Burst), burst: runtime.Limits.Burst},
	}
	c.resume = c.listen
	if kind.role == auth.Anchor {
		c.Out = e.Hub.AttachAnchor(conn)
	} else {
		c.Out = e.Hub.Attach(conn)
	}
	return c
}
