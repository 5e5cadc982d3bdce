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

// clientSocket is a socket of a simulated client. A goroutine reads it.
type clientSocket struct {
	conn  *websocket.Conn
	node  *simNode
	inbox chan wire.Message // closed when the socket has ended
	code  int               // of the close frame, -1: none; valid when inbox is closed
	done  chan struct{}
}

// dialTimeout bounds the wait for a socket and its welcome.
const dialTimeout = 1500 * time.Millisecond

// dialSocket opens a socket and reads its welcome. It returns nil if that fails.
func (h *host) dialSocket(path, token string) (*clientSocket, *wire.Welcome) {
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	l := &clientSocket{inbox: make(chan wire.Message, 1024), done: make(chan struct{}), code: -1}
	request := &singleRequest{host: h}
	options := nodetest.DialOptions(token)
	options.HTTPClient = &http.Client{Transport: request}
	conn, _, err := websocket.Dial(ctx, "ws://server"+path, options)
	l.node = request.node
	if err != nil {
		return nil, nil
	}
	conn.SetReadLimit(-1)
	l.conn = conn
	go l.readMessages()
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

func (l *clientSocket) readMessages() {
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
			l.node.host.w.oracle.reportFault("bad-message", "%s: %v", data, err)
			continue
		}
		select {
		case l.inbox <- m:
		case <-time.After(time.Minute): // the client no longer reads
			return
		}
	}
}

// send sends a message, and reports whether that succeeded.
func (l *clientSocket) send(m wire.Message) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return l.conn.Write(ctx, websocket.MessageText, wire.Append(nil, m)) == nil
}

// close closes the socket at once.
func (l *clientSocket) close() {
	l.conn.CloseNow()
	<-l.done
}

// singleRequest sends one request on its own connection, without the goroutines of
// http.Transport.
type singleRequest struct {
	host *host
	node *simNode // that the request went to
}

// RoundTrip implements http.RoundTripper.
func (t *singleRequest) RoundTrip(r *http.Request) (*http.Response, error) {
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
		res.Body = upgradedConn{in, conn}
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

// upgradedConn is a connection with buffered input.
type upgradedConn struct {
	buffered *bufio.Reader
	net.Conn
}

func (u upgradedConn) Read(p []byte) (int, error) { return u.buffered.Read(p) }

// callHTTP makes one HTTP call. The status is 0 without an answer.
func (h *host) callHTTP(method, path, token, key string, body []byte, timeout time.Duration) (status int, answer []byte, n *simNode) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
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
	t := &singleRequest{host: h}
	res, err := t.RoundTrip(r)
	if err != nil {
		return 0, nil, t.node
	}
	answer, _ = io.ReadAll(res.Body)
	return res.StatusCode, answer, t.node
}
