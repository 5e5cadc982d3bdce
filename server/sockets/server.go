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
	"onair/server/urls"
)

// Server serves the sockets of anchors and viewers. All fields except Poller must be set
// before the first socket is opened.
type Server struct {
	Node        *presencenode.Node
	Hub         *hub.Hub
	Attachments *Attachments
	Broadcasts  *broadcast.Service

	Runtime   *runtimeconfig.Store
	Admission *admission.Admission
	URLs      *urls.Signer
	Recovery  *recovery.Recovery
	Poller    *socket.Poller // nil: each socket has a reading goroutine
	Log       zerolog.Logger
}

// endpoint is one of the two URLs of sockets.
type endpoint struct {
	connKind        string
	role            auth.Role // that tokens must have, "": any
	maxMessageBytes func() int
	decodeRequest   func(message []byte) (wire.Message, error)
	startHandler    func(*client) messageHandler // also sends the welcome
}

// AnchorHandler opens sockets of anchors.
func (s *Server) AnchorHandler() http.HandlerFunc {
	return s.upgradeHandler(&endpoint{
		connKind: admission.KindAnchor, role: auth.Anchor, decodeRequest: wire.DecodeAnchorRequest, startHandler: startAnchor,
		maxMessageBytes: func() int { return s.Runtime.Current().Limits.Message },
	})
}

// ViewerHandler opens sockets of viewers.
func (s *Server) ViewerHandler() http.HandlerFunc {
	return s.upgradeHandler(&endpoint{
		connKind: admission.KindViewer, decodeRequest: wire.DecodeViewerRequest, startHandler: welcomeViewer,
		maxMessageBytes: func() int { return s.Runtime.Current().Limits.ViewerMessage },
	})
}

// checkRole returns an error when an identity may not open the socket.
func (e *endpoint) checkRole(identity auth.Identity) error {
	if e.role == "" || identity.Role == e.role {
		return nil
	}
	return &wire.Error{Code: wire.CodeForbidden, Message: "only tokens of role " + string(e.role) + " open this socket"}
}

// upgradeHandler returns the handler that opens sockets of an endpoint. The request ends with
// the handshake, so that net/http frees its memory; readAvailableMessages goes on without it.
func (s *Server) upgradeHandler(e *endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		reservation, err := s.Admission.Reserve(s.currentRejectionOrEmpty(e))
		if err != nil {
			response.WriteProblem(w, err)
			return
		}
		defer reservation.Release()
		identity, hasToken, err := s.Runtime.VerifyBearerToken(r)
		if err == nil && hasToken {
			err = e.checkRole(identity)
		}
		if err != nil {
			response.WriteProblem(w, err)
			return
		}
		conn, err := socket.Accept(w, r, socket.Options{
			ReadLimit: e.maxMessageBytes(), Poller: s.Poller, AllowForeignOrigin: admission.IsAllowedPage(r, s.Runtime.Current().Origins),
		})
		if err != nil {
			s.writeUpgradeError(w, e, err)
			return
		}
		c := s.newClient(conn, e, r)
		if !s.Admission.Admit(reservation, c.Conn, admission.RoleUnknown) {
			c.Close(wire.CloseTooManySockets, "too many connections from this address")
			c.closeAndCount()
			return
		}
		switch {
		case hasToken:
			c.setIdentity(identity)
			c.handler = e.startHandler(c)
		case e.role == "" && s.Runtime.Current().Viewer.Anonymous:
			s.Admission.SetRole(c.Conn, admission.RoleAnonymous)
			c.handler = e.startHandler(c)
		default:
			c.authTimer = time.AfterFunc(AuthTimeout, func() { c.Close(wire.CloseNoAuth, "no auth came in time") })
		}
		go c.readAvailableMessages()
	}
}

// currentRejectionOrEmpty is the reason why this node accepts no sockets of an endpoint now, "" for none.
// An overloaded node still accepts anchors: they are few, and must stay on the list.
func (s *Server) currentRejectionOrEmpty(e *endpoint) admission.Rejection {
	switch isAnchor := e.role == auth.Anchor; {
	case isAnchor && s.Node.IsIsolated():
		return admission.RejectionIsolated
	case !isAnchor && s.Hub.IsOverloaded():
		return admission.RejectionOverloaded
	}
	return ""
}

// writeUpgradeError answers a request that could not be upgraded to a socket.
func (s *Server) writeUpgradeError(w http.ResponseWriter, e *endpoint, err error) {
	s.Log.Debug().Err(err).Str("socket", e.connKind).Msg("socket handshake failed")
	if upgradeErr, ok := errors.AsType[*socket.UpgradeError](err); ok {
		response.WriteProblemStatus(w, upgradeErr.Status, &wire.Error{Code: wire.CodeBadRequest, Message: upgradeErr.Reason})
	}
}

func (s *Server) newClient(conn *socket.Conn, e *endpoint, r *http.Request) *client {
	cfg := s.Runtime.Current()
	c := &client{
		Conn:   &admission.Conn{Kind: e.connKind, Address: admission.ClientAddress(r, cfg.Proxies).String()},
		server: s, id: ulid.Make().String(), wsConn: conn, endpoint: e,
		reader: reader{rateLimiter: rate.NewLimiter(rate.Limit(cfg.Limits.Rate), cfg.Limits.Burst), burst: cfg.Limits.Burst},
	}
	c.onReadable = c.readAvailableMessages
	if e.role == auth.Anchor {
		c.Socket = s.Hub.AttachAnchor(conn)
	} else {
		c.Socket = s.Hub.Attach(conn)
	}
	return c
}
