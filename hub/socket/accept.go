package socket

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/coder/websocket"
)

// Accept upgrades a request. The Conn outlives the handler. The handler should
// return, because net/http keeps several KiB for a request until then.
//
// If Accept does not upgrade the request it writes no answer and returns an
// [*UpgradeError]:
//
//	400  the client offers only other subprotocols, or violates RFC 6455
//	403  the origin is foreign
//	405  the method is not GET
//	426  the request does not ask for an upgrade
//
// After any other error the connection is closed.
func Accept(w http.ResponseWriter, r *http.Request, options Options) (*Conn, error) {
	if !hasAcceptableSubprotocol(r.Header) {
		return nil, &UpgradeError{http.StatusBadRequest, "the only subprotocol here is " + Subprotocol}
	}
	options = options.withDefaults()
	compression := websocket.CompressionNoContextTakeover
	if options.NoCompression {
		compression = websocket.CompressionDisabled
	}
	u := newUpgradeWriter(w, options)
	c := &Conn{readLock: make(chan struct{}, 1)}
	ws, err := websocket.Accept(u, r, &websocket.AcceptOptions{
		Subprotocols:       []string{Subprotocol},
		InsecureSkipVerify: options.AllowForeignOrigin,
		CompressionMode:    compression,
		OnPingReceived:     func(context.Context, []byte) bool { return c.transport.inbound.countPing() },
		OnPongReceived: func(_ context.Context, payload []byte) {
			c.transport.inbound.resetLimitsBetweenMessages()
			c.unansweredPings.Store(0)
			if string(payload) == pingPayload {
				c.transport.outbound.handlePong()
			}
		},
	})
	if err != nil && !u.isSwitched {
		return nil, u.setErrorHeaders()
	}
	if err != nil {
		if u.transport != nil {
			u.transport.Close()
		}
		return nil, fmt.Errorf("socket: upgrade: %w", err)
	}
	ws.SetReadLimit(int64(options.ReadLimit))
	c.ws, c.transport, c.isCompressed = ws, u.transport, u.hasAgreedCompression()
	return c, nil
}

// hasAcceptableSubprotocol reports whether a client offers our subprotocol, or none.
func hasAcceptableSubprotocol(h http.Header) bool {
	offers := h.Values("Sec-WebSocket-Protocol")
	for _, line := range offers {
		for offer := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(offer), Subprotocol) {
				return true
			}
		}
	}
	return len(offers) == 0
}
