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

// anchorSocket is a socket of an anchor.
type anchorSocket struct {
	conn      *websocket.Conn
	inbox     chan wire.Message // closed when the socket has ended
	isDrained atomic.Bool       // the node sends the anchor to another
	readErr   error             // valid once inbox is closed
}

// dialTarget is the node that an anchor connects to, and what the socket needs.
type dialTarget struct {
	node    int
	token   string
	timeout time.Duration
	readers *sync.WaitGroup // gets the goroutine that reads
}

// openAnchorSocket connects to a node, and reads until the socket ends. It returns a
// refusedError when the node answers the handshake with another status.
func (p *anchorPool) openAnchorSocket(ctx context.Context, to dialTarget) (*anchorSocket, error) {
	ctx, cancel := context.WithTimeout(ctx, to.timeout)
	defer cancel()
	conn, res, err := websocket.Dial(ctx, "ws://"+p.options.nodes[to.node].host+"/v1/anchor", &websocket.DialOptions{
		HTTPClient: p.clients[to.node], HTTPHeader: http.Header{"Authorization": {"Bearer " + to.token}},
		Subprotocols: []string{wire.Subprotocol}, CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		if res != nil {
			err = &refusedError{res.StatusCode}
		}
		return nil, err
	}
	conn.SetReadLimit(1 << 20)
	s := &anchorSocket{conn: conn, inbox: make(chan wire.Message, 256)}
	to.readers.Go(func() { s.readMessages(p.faults) })
	return s, nil
}

// readMessages reads messages into the inbox until the socket ends.
func (s *anchorSocket) readMessages(faults *faultLog) {
	defer close(s.inbox)
	for {
		_, data, err := s.conn.Read(context.Background())
		if err != nil {
			if websocket.CloseStatus(err) == wire.CloseDrained {
				s.isDrained.Store(true)
			}
			s.readErr = err
			return
		}
		m, err := wire.DecodeServerMessage(data)
		if err != nil {
			s.readErr = err
			faults.recordFault(faultProtocol, "%v", err)
			return
		}
		if _, ok := m.(*wire.Drain); ok {
			s.isDrained.Store(true)
		}
		s.inbox <- m
	}
}

// closeAndWait closes the socket, and waits until readMessages has returned.
func (s *anchorSocket) closeAndWait() {
	s.conn.CloseNow()
	for range s.inbox { // unblocks the reader
	}
}

func (s *anchorSocket) sendMessage(m wire.Message) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return s.conn.Write(ctx, websocket.MessageText, wire.Append(nil, m))
}

// skipToAnswer waits for the message with a request's id, and drops all others. It
// returns an error when the socket ends or the timeout passes.
func (s *anchorSocket) skipToAnswer(ctx context.Context, id wire.ID, timeout time.Duration) (answer wire.Message, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		select {
		case m, ok := <-s.inbox:
			if !ok {
				return nil, s.readErr
			}
			if _, got := wire.Head(m); got == id {
				return m, nil
			}
		case <-ctx.Done():
			return nil, fmt.Errorf("no answer to request %s: %w", id, ctx.Err())
		}
	}
}

// awaitAndRecordWelcome waits for the welcome, records its lease parameters in the ledger,
// and returns its beat interval.
func (p *anchorPool) awaitAndRecordWelcome(ctx context.Context, s *anchorSocket, timeout time.Duration) (beatInterval time.Duration, err error) {
	m, err := s.skipToAnswer(ctx, "", timeout)
	if err != nil {
		return 0, err
	}
	switch m := m.(type) {
	case *wire.Welcome:
		beatInterval = time.Duration(m.HeartbeatMS) * time.Millisecond
		p.ledger.recordLeaseParams(beatInterval, m.MissedLimit)
		p.ledger.recordNodeName(m.Node)
		return beatInterval, nil
	case *wire.Error:
		return 0, m
	}
	return 0, fmt.Errorf("%T instead of a welcome", m)
}
