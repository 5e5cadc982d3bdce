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

// audience describes the viewers of a server.
type audience struct {
	Viewers        int
	SlowCandidates int // of them, the first ones: they may stop reading
	SlowBuffer     int // the receive buffer of those in bytes; 0: the kernel's default
}

// startTarget starts a server with viewers. If they are pinned, server and client have a core
// each. It calls beforeViewers, if not nil, when the server has no viewers yet.
func startTarget(role string, a audience, isPinned bool, beforeViewers func(*target) error) (t *target, err error) {
	serverCore, clientCore := anyCore, anyCore
	if isPinned {
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
	r, err := t.runCommands(command{Action: "connect", ClientCore: clientCore, audience: a})
	if err != nil {
		return nil, err
	}
	t.handshakes = r.CPU
	if role == roleLibrary {
		return t, nil
	}
	if r, err = t.runCommands(command{Action: "subscribe"}); err != nil {
		return nil, err
	}
	t.subscriptions = r.CPU
	return t, nil
}

// runCommands has the server run commands in turn, and returns the last report. It stops at
// an error.
func (t *target) runCommands(commands ...command) (last *report, err error) {
	for _, c := range commands {
		last = &report{}
		if err := t.call(&c, last); err != nil {
			return nil, err
		}
		if last.Error != "" {
			return nil, errors.New(last.Error)
		}
	}
	return last, nil
}

// sendFrames sends frames to all viewers.
func (t *target) sendFrames(method string, frames int) (*report, error) {
	return t.runCommands(command{Action: "send", Method: method, Frames: frames})
}

// microsecondsPerFrame is a time for each delivered frame, in microseconds.
func (r *report) microsecondsPerFrame(d time.Duration) float64 {
	return float64(d.Nanoseconds()) / 1000 / float64(max(1, r.Delivered))
}

func (r *report) deliveredShare() float64 { return float64(r.Delivered) / float64(r.Expected) }
