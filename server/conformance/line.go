package conformance

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"

	"onair/hub/wire"
)

// clientSocket is one socket of the client under test.
type clientSocket struct {
	conn        *websocket.Conn
	headerToken string // the token that came with the handshake
	isWelcomed  bool   // the client has been welcomed
	isAbandoned bool   // the script has closed or dropped it: what still comes means nothing
}

// clientEvent is something that the client did.
type clientEvent struct {
	socket *clientSocket
	kind   clientEventKind
	data   []byte // of said
	reason string // of gone and refused
}

type clientEventKind int

const (
	socketOpened    clientEventKind = iota // a socket
	messageReceived                        // a message
	socketClosed                           // a socket: the client closed it, or its end was lost
	requestRejected                        // a handshake that no server would take
)

// ServeHTTP takes the client's sockets, and whatever else it asks for.
func (p *Player) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	why := ""
	switch {
	case r.Method == http.MethodOptions:
		w.WriteHeader(http.StatusNoContent)
		return
	case r.URL.Path != p.script.path:
		why = fmt.Sprintf("it asked for %s %s, and the socket is at %s", r.Method, r.URL.Path, p.script.path)
	case r.URL.RawQuery != "":
		why = fmt.Sprintf("it put %q into the URL: a token there ends in logs", r.URL.RawQuery)
	case len(r.Header.Values("Sec-WebSocket-Protocol")) > 0 && !offersSubprotocol(r.Header.Values("Sec-WebSocket-Protocol")):
		why = "it offered subprotocols, but not " + wire.Subprotocol
	}
	if why != "" {
		http.Error(w, why, http.StatusBadRequest)
		p.sendEvent(r.Context(), clientEvent{kind: requestRejected, reason: why})
		return
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols:       []string{wire.Subprotocol},
		InsecureSkipVerify: true, // a page under test is served from wherever its developer serves it
	})
	if err != nil {
		p.sendEvent(r.Context(), clientEvent{kind: requestRejected, reason: err.Error()})
		return
	}
	conn.SetReadLimit(wire.MaxViewerMessageBytes)
	bearer, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	l := &clientSocket{conn: conn, headerToken: bearer}
	p.sendEvent(r.Context(), clientEvent{socket: l, kind: socketOpened})
	for {
		kind, data, err := conn.Read(r.Context())
		switch {
		case err != nil:
			p.sendEvent(r.Context(), clientEvent{socket: l, kind: socketClosed, reason: err.Error()})
			_ = conn.CloseNow() // it is over
			return
		case kind != websocket.MessageText:
			p.sendEvent(r.Context(), clientEvent{socket: l, kind: requestRejected, reason: "it sent a binary message"})
		default:
			p.sendEvent(r.Context(), clientEvent{socket: l, kind: messageReceived, data: data})
		}
	}
}

func offersSubprotocol(headers []string) bool {
	for _, h := range headers {
		for name := range strings.SplitSeq(h, ",") {
			if strings.TrimSpace(name) == wire.Subprotocol {
				return true
			}
		}
	}
	return false
}

// sendEvent hands an event to the script, unless that is over: requests end with it.
func (p *Player) sendEvent(ctx context.Context, e clientEvent) {
	select {
	case p.events <- e:
	case <-ctx.Done():
	}
}

// writeTimeout is how long a client may take to read.
const writeTimeout = 5 * time.Second

// writeMessage sends what the server says.
func (l *clientSocket) writeMessage(ctx context.Context, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return l.conn.Write(ctx, websocket.MessageText, data)
}
