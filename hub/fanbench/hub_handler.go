//go:build linux

package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"onair/hub"
	"onair/hub/socket"
	"onair/hub/wire"
)

// hubHandler accepts viewers' sockets for a hub, as a server does.
type hubHandler struct {
	hub         *hub.Hub
	options     socket.Options
	onConnected func() // called for each attached viewer
}

// ServeHTTP returns at once, as [socket.Accept] recommends.
func (h *hubHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, err := socket.Accept(w, r, h.options)
	if refused, ok := errors.AsType[*socket.UpgradeError](err); ok {
		http.Error(w, refused.Reason, refused.Status)
	}
	if err != nil {
		return
	}
	go h.startServingViewer(conn)
}

// startServingViewer handles a viewer's requests until its connection ends.
func (h *hubHandler) startServingViewer(conn *socket.Conn) {
	s := h.hub.Attach(conn)
	h.onConnected()
	var readAll func()
	readAll = func() {
		for {
			data, err := conn.Read(context.Background())
			switch {
			case err == socket.ErrWouldBlock:
				conn.NotifyReadable(readAll)
				return
			case err != nil:
				s.Close()
				return
			}
			h.subscribeOrClose(s, data)
		}
	}
	readAll()
}

func (h *hubHandler) subscribeOrClose(s *hub.Socket, data []byte) {
	m, err := wire.DecodeViewerRequest(data)
	subscribe, ok := m.(*wire.Subscribe)
	if err != nil || !ok {
		s.CloseAfterAnswers(wire.ClosePolicy, "only subscriptions are expected here")
		return
	}
	if err := h.hub.Subscribe(s, subscribe); err != nil {
		s.CloseAfterAnswers(wire.ClosePolicy, err.Error())
	}
}

// newSocketOptions are those of a server, except that viewers may stop reading for as
// long as a scenario takes.
func newSocketOptions() (socket.Options, error) {
	poller, err := socket.NewPoller()
	return socket.Options{StallTimeout: time.Hour, FrameTimeout: time.Hour, Poller: poller}, err
}
