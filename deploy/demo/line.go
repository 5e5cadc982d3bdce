package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"onair/hub/wire"
)

// line is a socket to onair. What comes in goes to hear, message by message.
type line struct {
	conn *websocket.Conn
	done chan struct{} // closed once nothing more comes
	err  error         // why; to be read once done is closed
}

// dial opens a socket and begins to read it.
func (st *stage) dial(ctx context.Context, path, token string, hear func(wire.Message)) (*line, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	header := http.Header{}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	conn, _, err := websocket.Dial(ctx, "ws://"+st.api+path, &websocket.DialOptions{
		HTTPHeader: header, Subprotocols: []string{wire.Subprotocol},
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	conn.SetReadLimit(-1)
	l := &line{conn: conn, done: make(chan struct{})}
	go l.read(hear)
	st.mu.Lock()
	defer st.mu.Unlock()
	st.lines = append(st.lines, l)
	return l, nil
}

func (l *line) read(hear func(wire.Message)) {
	defer close(l.done)
	for {
		_, data, err := l.conn.Read(context.Background())
		if err != nil {
			l.err = err
			return
		}
		m, err := wire.DecodeServerMessage(data)
		if err != nil {
			l.err = err
			return
		}
		hear(m)
	}
}

func (l *line) send(m wire.Message) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return l.conn.Write(ctx, websocket.MessageText, wire.Append(nil, m))
}

// drop ends the connection without a word, as a crash does.
func (l *line) drop() {
	_ = l.conn.CloseNow() // it may have ended already
	<-l.done
}
