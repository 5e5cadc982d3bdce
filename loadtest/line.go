package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"onair/hub/wire"
)

// anchorSocket is an anchor's socket.
type anchorSocket struct {
	conn      *websocket.Conn
	inbox     chan wire.Message
	isDrained atomic.Bool // the node asked to go elsewhere
	readErr   error       // once inbox is closed
}

// dialTarget is whom an anchor connects to, with what.
type dialTarget struct {
	node    int
	token   string
	timeout time.Duration
	readers *sync.WaitGroup // of its sockets
}

// dial connects to a node, and reads until the socket ends.
func (a *anchorPool) dial(ctx context.Context, to dialTarget) (*anchorSocket, error) {
	dialing, cancel := context.WithTimeout(ctx, to.timeout)
	defer cancel()
	conn, res, err := websocket.Dial(dialing, "ws://"+a.options.nodes[to.node].host+"/v1/anchor", &websocket.DialOptions{
		HTTPClient: a.clients[to.node], HTTPHeader: http.Header{"Authorization": {"Bearer " + to.token}},
		Subprotocols: []string{wire.Subprotocol}, CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		if res != nil {
			err = &refusedError{res.StatusCode}
		}
		return nil, err
	}
	conn.SetReadLimit(1 << 20)
	l := &anchorSocket{conn: conn, inbox: make(chan wire.Message, 256)}
	to.readers.Go(func() { l.readMessages(a.recordFault) })
	return l, nil
}

// readMessages reads until the socket ends.
func (l *anchorSocket) readMessages(fault func(faultKind, string)) {
	defer close(l.inbox)
	for {
		_, data, err := l.conn.Read(context.Background())
		if err != nil {
			if websocket.CloseStatus(err) == wire.CloseDrained {
				l.isDrained.Store(true)
			}
			l.readErr = err
			return
		}
		m, err := wire.DecodeServerMessage(data)
		if err != nil {
			l.readErr = err
			fault(faultProtocol, err.Error())
			return
		}
		if _, ok := m.(*wire.Drain); ok {
			l.isDrained.Store(true)
		}
		l.inbox <- m
	}
}

// closeViewer closes the socket, and waits for its reader.
func (l *anchorSocket) closeAndWait() {
	l.conn.CloseNow()
	for range l.inbox { // the reader may be about to write
	}
}

// send sends a message.
func (l *anchorSocket) send(m wire.Message) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return l.conn.Write(ctx, websocket.MessageText, wire.Append(nil, m))
}

// awaitAnswer waits for the answer to the request with an id.
func (l *anchorSocket) awaitAnswer(ctx context.Context, id wire.ID, patience time.Duration) (wire.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		select {
		case m, ok := <-l.inbox:
			if !ok {
				return nil, l.readErr
			}
			if _, got := m.Head(); got == id {
				return m, nil
			}
		case <-ctx.Done():
			return nil, fmt.Errorf("no answer to request %s: %w", id, ctx.Err())
		}
	}
}

// awaitWelcome waits for the welcome, which says how often beats are due.
func (a *anchorPool) awaitWelcome(ctx context.Context, l *anchorSocket, patience time.Duration) (interval time.Duration, err error) {
	m, err := l.awaitAnswer(ctx, "", patience)
	if err != nil {
		return 0, err
	}
	switch m := m.(type) {
	case *wire.Welcome:
		interval = time.Duration(m.HeartbeatMS) * time.Millisecond
		a.ledger.setLeaseParams(interval, m.MissedLimit)
		return interval, nil
	case *wire.Error:
		return 0, m
	}
	return 0, fmt.Errorf("no welcome but %T", m)
}
