//go:build linux

package main

import (
	"errors"
	"time"
)

// target is a server under test and its viewers, as control sees them.
type target struct {
	*process

	// CPU time of the server for all viewers.
	handshakes    time.Duration
	subscriptions time.Duration
}

// audience describes the viewers of a target.
type audience struct {
	viewers     int
	slowViewers int  // of them, that may stop reading
	slowBuffer  int  // their receive buffer in bytes; 0: the kernel's default
	pinned      bool // server and client have a core each
}

// startTarget starts a server with viewers. It calls beforeViewers, if not nil,
// when the server has none yet.
func startTarget(role string, a audience, beforeViewers func(*target) error) (t *target, err error) {
	serverCore, clientCore := anyCore, anyCore
	if a.pinned {
		if serverCore, clientCore, err = firstAndLastCore(); err != nil {
			return nil, err
		}
	}
	p, err := startProcess(role, serverCore)
	if err != nil {
		return nil, err
	}
	t = &target{process: p}
	defer func() {
		if err != nil {
			t.stopAndWait()
		}
	}()
	if beforeViewers != nil {
		if err := beforeViewers(t); err != nil {
			return nil, err
		}
	}
	r, err := t.runCommand(command{
		Action: "connect", ClientCore: clientCore,
		Viewers: a.viewers, FastViewers: a.viewers - a.slowViewers, SlowBuffer: a.slowBuffer,
	})
	if err != nil {
		return nil, err
	}
	t.handshakes = r.CPU
	if role == roleLibrary {
		return t, nil
	}
	if r, err = t.runCommand(command{Action: "subscribe"}); err != nil {
		return nil, err
	}
	t.subscriptions = r.CPU
	return t, nil
}

// runCommand has the server run a command.
func (t *target) runCommand(c command) (*report, error) {
	var r report
	if err := t.call(&c, &r); err != nil {
		return nil, err
	}
	if r.Error != "" {
		return nil, errors.New(r.Error)
	}
	return &r, nil
}

// sendFrames sends frames to all viewers.
func (t *target) sendFrames(method string, frames int) (*report, error) {
	return t.runCommand(command{Action: "send", Method: method, Frames: frames})
}

// microsecondsPerFrame is a time for each delivered frame, in microseconds.
func (r *report) microsecondsPerFrame(d time.Duration) float64 {
	return float64(d.Nanoseconds()) / 1000 / float64(max(1, r.Delivered))
}

func (r *report) deliveredShare() float64 { return float64(r.Delivered) / float64(r.Expected) }
