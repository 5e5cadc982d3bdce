//go:build linux

package main

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// libraryHandler accepts, reads and writes sockets with the WebSocket library
// alone, as its documentation recommends.
type libraryHandler struct {
	onConnected func()

	mu    sync.Mutex // guards conns
	conns []*websocket.Conn
}

// ServeHTTP implements [http.Handler].
func (l *libraryHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer c.CloseNow()
	l.mu.Lock()
	l.conns = append(l.conns, c)
	l.mu.Unlock()
	l.onConnected()
	for {
		if _, _, err := c.Read(context.Background()); err != nil {
			return
		}
	}
}

// writeToAll writes a text message to each socket, one after the other.
func (l *libraryHandler) writeToAll(text []byte) error {
	for _, c := range l.conns {
		if err := l.writeWithTimeout(c, text); err != nil {
			return err
		}
	}
	return nil
}

func (l *libraryHandler) writeWithTimeout(c *websocket.Conn, text []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return c.Write(ctx, websocket.MessageText, text)
}
