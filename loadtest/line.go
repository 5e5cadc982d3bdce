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

// line is an anchor's socket.
type line struct {
	conn   *websocket.Conn
	inbox  chan wire.Message
	sentOn atomic.Bool // the node asked to go elsewhere
	err    error       // once inbox is closed
}

// call is whom an anchor connects to, with what.
type call struct {
	node     int
	token    string
	patience time.Duration
	readers  *sync.WaitGroup // of its sockets
}

// open connects to a node, and reads until the socket ends.
func (a *anchors) open(ctx context.Context, to call) (*line, error) {
	dialing, cancel := context.WithTimeout(ctx, to.patience)
	defer cancel()
	conn, res, err := websocket.Dial(dialing, "ws://"+a.o.nodes[to.node].host+"/v1/anchor", &websocket.DialOptions{
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
	l := &line{conn: conn, inbox: make(chan wire.Message, 256)}
	to.readers.Go(func() { l.read(a.fault) })
	return l, nil
}

// read reads until the socket ends.
func (l *line) read(fault func(fault, string)) {
	defer close(l.inbox)
	for {
		_, data, err := l.conn.Read(context.Background())
		if err != nil {
			if websocket.CloseStatus(err) == wire.CloseDrained {
				l.sentOn.Store(true)
			}
			l.err = err
			return
		}
		m, err := wire.DecodeServerMessage(data)
		if err != nil {
			l.err = err
			fault(faultProtocol, err.Error())
			return
		}
		if _, ok := m.(*wire.Drain); ok {
			l.sentOn.Store(true)
		}
		l.inbox <- m
	}
}

// hangUp closes the socket, and waits for its reader.
func (l *line) hangUp() {
	l.conn.CloseNow()
	for range l.inbox { // the reader may be about to write
	}
}

// tell sends a message.
func (l *line) tell(m wire.Message) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return l.conn.Write(ctx, websocket.MessageText, wire.Append(nil, m))
}

// wait waits for the answer to the request with an id.
func (l *line) wait(ctx context.Context, id wire.ID, patience time.Duration) (wire.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		select {
		case m, ok := <-l.inbox:
			if !ok {
				return nil, l.err
			}
			if _, got := m.Head(); got == id {
				return m, nil
			}
		case <-ctx.Done():
			return nil, fmt.Errorf("no answer to request %s: %w", id, ctx.Err())
		}
	}
}

// greeted waits for the welcome, which says how often beats are due.
func (a *anchors) greeted(ctx context.Context, l *line, patience time.Duration) (interval time.Duration, err error) {
	m, err := l.wait(ctx, "", patience)
	if err != nil {
		return 0, err
	}
	switch m := m.(type) {
	case *wire.Welcome:
		interval = time.Duration(m.HeartbeatMS) * time.Millisecond
		a.ledger.rules(interval, m.MissedLimit)
		return interval, nil
	case *wire.Error:
		return 0, m
	}
	return 0, fmt.Errorf("no welcome but %T", m)
}
