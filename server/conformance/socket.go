package conformance

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/coder/websocket"

	"onair/hub/wire"
)

// clientSocket is one socket of the client under test.
type clientSocket struct {
	conn        *websocket.Conn
	headerToken string // of the handshake
	isWelcomed  bool
	isAbandoned bool // the script has closed or dropped it: its later events are ignored
}

// clientEvent is something that the client did.
type clientEvent struct {
	socket *clientSocket
	kind   clientEventKind
	data   []byte // messageReceived
	reason string // socketClosed, requestRejected
}

type clientEventKind int

const (
	socketOpened    clientEventKind = iota
	messageReceived                 // a text message
	socketClosed                    // the client closed the socket, or the connection was lost
	requestRejected                 // a request or message that no server accepts
)

// ServeHTTP accepts the sockets of the client and records them, their messages and invalid
// requests as events.
func (p *Player) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	offers := r.Header.Values("Sec-WebSocket-Protocol")
	subprotocols := strings.FieldsFunc(strings.Join(offers, ","), func(c rune) bool { return strings.ContainsRune(", \t", c) })
	rejection := ""
	switch {
	case r.Method == http.MethodOptions:
		w.WriteHeader(http.StatusNoContent)
		return
	case r.URL.Path != p.script.path:
		rejection = fmt.Sprintf("it requested %s %s, but the socket is at %s", r.Method, r.URL.Path, p.script.path)
	case r.URL.RawQuery != "":
		rejection = fmt.Sprintf("it put %q into the URL: logs would contain the token", r.URL.RawQuery)
	case len(offers) > 0 && !slices.Contains(subprotocols, wire.Subprotocol):
		rejection = "it offered subprotocols without " + wire.Subprotocol
	}
	if rejection != "" {
		http.Error(w, rejection, http.StatusBadRequest)
		p.queueEvent(r.Context(), clientEvent{kind: requestRejected, reason: rejection})
		return
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols:       []string{wire.Subprotocol},
		InsecureSkipVerify: true, // a page under test may have any origin
	})
	if err != nil {
		p.queueEvent(r.Context(), clientEvent{kind: requestRejected, reason: err.Error()})
		return
	}
	conn.SetReadLimit(wire.MaxViewerMessageBytes)
	headerToken, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	socket := &clientSocket{conn: conn, headerToken: headerToken}
	p.queueEvent(r.Context(), clientEvent{socket: socket, kind: socketOpened})
	for {
		messageType, data, err := conn.Read(r.Context())
		switch {
		case err != nil:
			p.queueEvent(r.Context(), clientEvent{socket: socket, kind: socketClosed, reason: err.Error()})
			_ = conn.CloseNow() // it is closed already
			return
		case messageType != websocket.MessageText:
			p.queueEvent(r.Context(), clientEvent{socket: socket, kind: requestRejected, reason: "it sent a binary message"})
		default:
			p.queueEvent(r.Context(), clientEvent{socket: socket, kind: messageReceived, data: data})
		}
	}
}

// queueEvent passes an event to the script, until the request ends with it.
func (p *Player) queueEvent(ctx context.Context, e clientEvent) {
	select {
	case p.events <- e:
	case <-ctx.Done():
	}
}

// writeTimeout bounds the time in which a client must read a message.
const writeTimeout = 5 * time.Second

func (s *clientSocket) writeMessage(ctx context.Context, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return s.conn.Write(ctx, websocket.MessageText, data)
}
