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

// line is one socket of the client under test.
type line struct {
	conn   *websocket.Conn
	bearer string // the token that came with the handshake
	let    bool   // the client has been welcomed
	left   bool   // the script has closed or dropped it: what still comes means nothing
}

// event is something that the client did.
type event struct {
	line *line
	what happening
	data []byte // of said
	why  string // of gone and refused
}

type happening int

const (
	opened  happening = iota // a socket
	said                     // a message
	gone                     // a socket: the client closed it, or its end was lost
	refused                  // a handshake that no server would take
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
	case len(r.Header.Values("Sec-WebSocket-Protocol")) > 0 && !offers(r.Header.Values("Sec-WebSocket-Protocol")):
		why = "it offered subprotocols, but not " + wire.Subprotocol
	}
	if why != "" {
		http.Error(w, why, http.StatusBadRequest)
		p.happened(r.Context(), event{what: refused, why: why})
		return
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols:       []string{wire.Subprotocol},
		InsecureSkipVerify: true, // a page under test is served from wherever its developer serves it
	})
	if err != nil {
		p.happened(r.Context(), event{what: refused, why: err.Error()})
		return
	}
	conn.SetReadLimit(wire.MaxViewerMessageBytes)
	bearer, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	l := &line{conn: conn, bearer: bearer}
	p.happened(r.Context(), event{line: l, what: opened})
	for {
		kind, data, err := conn.Read(r.Context())
		switch {
		case err != nil:
			p.happened(r.Context(), event{line: l, what: gone, why: err.Error()})
			_ = conn.CloseNow() // it is over
			return
		case kind != websocket.MessageText:
			p.happened(r.Context(), event{line: l, what: refused, why: "it sent a binary message"})
		default:
			p.happened(r.Context(), event{line: l, what: said, data: data})
		}
	}
}

func offers(headers []string) bool {
	for _, h := range headers {
		for name := range strings.SplitSeq(h, ",") {
			if strings.TrimSpace(name) == wire.Subprotocol {
				return true
			}
		}
	}
	return false
}

// happened hands an event to the script, unless that is over: requests end with it.
func (p *Player) happened(ctx context.Context, e event) {
	select {
	case p.events <- e:
	case <-ctx.Done():
	}
}

// writeWithin is how long a client may take to read.
const writeWithin = 5 * time.Second

// write sends what the server says.
func (l *line) write(ctx context.Context, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, writeWithin)
	defer cancel()
	return l.conn.Write(ctx, websocket.MessageText, data)
}
