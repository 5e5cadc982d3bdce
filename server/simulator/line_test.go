//go:build !race

package simulator

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"onair/hub/wire"
	"onair/server/nodetest"
)

// line is a socket of a simulated client. It is read all the time.
type line struct {
	conn  *websocket.Conn
	node  *simNode
	inbox chan wire.Message // closed when the socket has ended
	code  int               // that it was closed with, -1: none; to be read when inbox is closed
	done  chan struct{}
}

// dialWithin is how long a client waits for a socket and its welcome.
const dialWithin = 1500 * time.Millisecond

// dial opens a socket and reads its welcome.
func (h *host) open(path, token string) (*line, *wire.Welcome) {
	ctx, cancel := context.WithTimeout(context.Background(), dialWithin)
	defer cancel()
	l := &line{inbox: make(chan wire.Message, 1024), done: make(chan struct{}), code: -1}
	trip := &trip{host: h}
	options := nodetest.DialOptions(token)
	options.HTTPClient = &http.Client{Transport: trip}
	conn, _, err := websocket.Dial(ctx, "ws://server"+path, options)
	l.node = trip.node
	if err != nil {
		return nil, nil
	}
	conn.SetReadLimit(-1)
	l.conn = conn
	go l.read()
	select {
	case m, ok := <-l.inbox:
		if welcome, is := m.(*wire.Welcome); ok && is {
			return l, welcome
		}
	case <-ctx.Done():
	}
	l.close()
	return nil, nil
}

func (l *line) read() {
	defer close(l.done)
	defer close(l.inbox)
	for {
		_, data, err := l.conn.Read(context.Background())
		if err != nil {
			l.code = int(websocket.CloseStatus(err))
			return
		}
		m, err := wire.DecodeServerMessage(data)
		if err != nil {
			l.node.host.w.oracle.violate("bad-message", "%s: %v", data, err)
			continue
		}
		select {
		case l.inbox <- m:
		case <-time.After(time.Minute): // nobody reads any more
			return
		}
	}
}

// tell sends a message; it reports whether that could be done.
func (l *line) tell(m wire.Message) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return l.conn.Write(ctx, websocket.MessageText, wire.Append(nil, m)) == nil
}

// close lets go of the socket, at once.
func (l *line) close() {
	l.conn.CloseNow()
	<-l.done
}

// trip is one request on a connection of its own, without what http.Transport
// has running for one.
type trip struct {
	host *host
	node *simNode // that the request went to
}

// RoundTrip implements http.RoundTripper.
func (t *trip) RoundTrip(r *http.Request) (*http.Response, error) {
	conn, n, err := t.host.dial(r.Context())
	if err != nil {
		return nil, err
	}
	t.node = n
	stop := context.AfterFunc(r.Context(), func() { conn.Close() })
	defer stop()
	in := bufio.NewReader(conn)
	var res *http.Response
	if err = r.Write(conn); err == nil {
		res, err = http.ReadResponse(in, r)
	}
	if err == nil && res.StatusCode == http.StatusSwitchingProtocols {
		res.Body = upgraded{in, conn}
		return res, nil
	}
	var body []byte
	if err == nil {
		body, err = io.ReadAll(res.Body)
	}
	conn.Close()
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, nil
}

// upgraded is a connection of which some was read already.
type upgraded struct {
	in *bufio.Reader
	net.Conn
}

func (u upgraded) Read(p []byte) (int, error) { return u.in.Read(p) }

// call makes one HTTP call, and returns the status, 0 for none, and the answer.
func (h *host) call(method, path, token, key string, body []byte, within time.Duration) (status int, answer []byte, n *simNode) {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, "http://server"+path, bytes.NewReader(body))
	if err != nil {
		h.w.t.Error(err)
		return 0, nil, nil
	}
	r.Close = true
	r.Header.Set("Authorization", "Bearer "+token)
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	t := &trip{host: h}
	res, err := t.RoundTrip(r)
	if err != nil {
		return 0, nil, t.node
	}
	answer, _ = io.ReadAll(res.Body)
	return res.StatusCode, answer, t.node
}
