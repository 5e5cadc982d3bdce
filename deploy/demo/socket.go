package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"onair/hub/wire"
)

// socket is a client's connection to onair.
type socket struct {
	conn  *websocket.Conn
	ended chan struct{} // closed after the last message
	err   error         // why it ended; valid once ended is closed
}

// dialSocket opens a socket, and calls onMessage for each message.
func (env *environment) dialSocket(ctx context.Context, path, token string, onMessage func(wire.Message)) (*socket, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	header := http.Header{}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	conn, _, err := websocket.Dial(ctx, "ws://"+env.addrs.api+path, &websocket.DialOptions{
		HTTPHeader: header, Subprotocols: []string{wire.Subprotocol},
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	conn.SetReadLimit(-1)
	s := &socket{conn: conn, ended: make(chan struct{})}
	go s.readMessages(onMessage)
	env.mu.Lock()
	defer env.mu.Unlock()
	env.sockets = append(env.sockets, s)
	return s, nil
}

func (s *socket) readMessages(onMessage func(wire.Message)) {
	defer close(s.ended)
	for {
		_, data, err := s.conn.Read(context.Background())
		if err != nil {
			s.err = err
			return
		}
		m, err := wire.DecodeServerMessage(data)
		if err != nil {
			s.err = err
			return
		}
		onMessage(m)
	}
}

func (s *socket) send(m wire.Message) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return s.conn.Write(ctx, websocket.MessageText, wire.Append(nil, m))
}

// closeAbruptly closes the connection without a close frame, as a crash does.
func (s *socket) closeAbruptly() {
	_ = s.conn.CloseNow() // it may have ended already
	<-s.ended
}
