//go:build linux

package main

import (
	"errors"
	"time"
)

// site is a server and its viewers, as control has them.
type site struct {
	*process
	viewers int

	handshake time.Duration // CPU of all
	subscribe time.Duration
}

// crowd is who looks at a site.
type crowd struct {
	viewers int
	shy     int // of them, that may be told to stop reading
	buffer  int // the kernel's, of those
	pinned  bool
}

// build starts a server; before is called when nobody has come yet.
func build(role string, c crowd, before func(*site) error) (s *site, err error) {
	server, client := anyCore, anyCore
	if c.pinned {
		if server, client, err = cores(); err != nil {
			return nil, err
		}
	}
	p, err := launch(role, server)
	if err != nil {
		return nil, err
	}
	s = &site{process: p, viewers: c.viewers}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	if before != nil {
		if err := before(s); err != nil {
			return nil, err
		}
	}
	r, err := s.order(order{Do: "open", Core: client, N: c.viewers, Spared: c.viewers - c.shy, Buffer: c.buffer})
	if err != nil {
		return nil, err
	}
	s.handshake = r.CPU
	if role == roleLibrary {
		return s, nil
	}
	if r, err = s.order(order{Do: "subscribe"}); err != nil {
		return nil, err
	}
	s.subscribe = r.CPU
	return s, nil
}

func (s *site) order(o order) (*report, error) {
	var r report
	if err := s.ask(&o, &r); err != nil {
		return nil, err
	}
	if r.Error != "" {
		return nil, errors.New(r.Error)
	}
	return &r, nil
}

// fan sends to all, in some way.
func (s *site) fan(way string, times int) (*report, error) {
	return s.order(order{Do: "fan", Way: way, Times: times})
}

// perFrame is a figure for each frame that was delivered, in microseconds.
func (r *report) perFrame(d time.Duration) float64 {
	return float64(d.Nanoseconds()) / 1000 / float64(max(1, r.Delivered))
}
