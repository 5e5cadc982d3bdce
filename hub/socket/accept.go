package socket

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/coder/websocket"
)

// Accept upgrades a request. The Conn outlives the handler, which had best
// return: reading from a goroutine of its own gives back the several KiB that
// net/http keeps for a request.
//
// A request that is not upgraded gets a [*UpgradeError], and no answer yet:
//
//	400  offers other subprotocols only, or is not a handshake as RFC 6455 has it
//	403  comes from a foreign origin
//	405  is not a GET
//	426  is no request for an upgrade
//
// After any other error the connection is lost.
func Accept(w http.ResponseWriter, r *http.Request, options Options) (*Conn, error) {
	if !offersOurs(r.Header) {
		return nil, &UpgradeError{http.StatusBadRequest, "the only subprotocol here is " + Subprotocol}
	}
	options = options.withDefaults()
	compression := websocket.CompressionNoContextTakeover
	if options.NoCompression {
		compression = websocket.CompressionDisabled
	}
	u := newUpgrade(w, options)
	c := &Conn{closeTime: options.CloseTimeout, reading: make(chan struct{}, 1)}
	ws, err := websocket.Accept(u, r, &websocket.AcceptOptions{
		Subprotocols:    []string{Subprotocol},
		OriginPatterns:  options.OriginPatterns,
		CompressionMode: compression,
		OnPingReceived:  func(context.Context, []byte) bool { return c.wire.in.pinged() },
		OnPongReceived: func(context.Context, []byte) {
			c.wire.in.controlled()
			c.ponged()
		},
	})
	if err != nil && !u.switched {
		return nil, u.refusal()
	}
	if err != nil {
		if u.wire != nil {
			u.wire.Close()
		}
		return nil, fmt.Errorf("socket: upgrade: %w", err)
	}
	ws.SetReadLimit(int64(options.ReadLimit))
	c.ws, c.wire, c.deflated = ws, u.wire, u.deflated()
	return c, nil
}

// offersOurs says whether a client offers our subprotocol, or none.
func offersOurs(h http.Header) bool {
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
