//go:build linux

package main

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// library has sockets written to through the WebSocket library alone, accepted
// and read as its documentation has it.
type library struct {
	arrived func()

	mu    sync.Mutex // guards conns
	conns []*websocket.Conn
}

func (l *library) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer c.CloseNow()
	l.mu.Lock()
	l.conns = append(l.conns, c)
	l.mu.Unlock()
	l.arrived()
	for {
		if _, _, err := c.Read(context.Background()); err != nil {
			return
		}
	}
}

// writeAll writes a text to each socket, one after the other.
func (l *library) writeAll(text []byte) error {
	for _, c := range l.conns {
		if err := l.write(c, text); err != nil {
			return err
		}
	}
	return nil
}

func (l *library) write(c *websocket.Conn, text []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return c.Write(ctx, websocket.MessageText, text)
}
