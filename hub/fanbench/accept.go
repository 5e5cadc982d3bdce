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

// acceptor has viewers' sockets looked after by a hub, as a server does.
type acceptor struct {
	hub     *hub.Hub
	options socket.Options
	arrived func() // a viewer is attached
}

// ServeHTTP returns at once, as [socket.Accept] recommends.
func (a *acceptor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, err := socket.Accept(w, r, a.options)
	if refused, ok := errors.AsType[*socket.UpgradeError](err); ok {
		http.Error(w, refused.Reason, refused.Status)
	}
	if err != nil {
		return
	}
	go a.attend(conn)
}

// attend has a viewer's requests read until it is gone.
func (a *acceptor) attend(conn *socket.Conn) {
	s := a.hub.Attach(conn)
	a.arrived()
	var listen func()
	listen = func() {
		for {
			data, err := conn.Read(context.Background())
			switch {
			case err == socket.ErrWouldBlock:
				conn.NotifyReadable(listen)
				return
			case err != nil:
				s.Close()
				return
			}
			a.request(s, data)
		}
	}
	listen()
}

func (a *acceptor) request(s *hub.Socket, data []byte) {
	m, err := wire.DecodeViewerRequest(data)
	q, ok := m.(*wire.Subscribe)
	if err != nil || !ok {
		s.CloseAfterAnswers(wire.ClosePolicy, "only subscriptions are expected here")
		return
	}
	if e := a.hub.Subscribe(s, q); e != nil {
		s.CloseAfterAnswers(wire.ClosePolicy, e.Message)
	}
}

// socketOptions are what a server gives, but that who stops reading for as long
// as a scene takes is kept.
func socketOptions() (socket.Options, error) {
	poller, err := socket.NewPoller()
	return socket.Options{StallTimeout: time.Hour, FrameTimeout: time.Hour, Poller: poller}, err
}
