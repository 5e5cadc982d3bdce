package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"time"

	"onair/hub/wire"
)

const (
	// defaultTimeout is the default of within_ms.
	defaultTimeout = 5 * time.Second

	// authTimeout is the time in which the server expects a token.
	authTimeout = 5 * time.Second

	// timerTolerance is the tolerated difference between the clocks of the client and the
	// player.
	timerTolerance = 20 * time.Millisecond
)

// eventWindow returns the times between which the event that an action waits for may
// come.
func (p *Player) eventWindow(a *action) (from, until time.Time) {
	within := defaultTimeout
	if a.WithinMS > 0 {
		within = time.Duration(a.WithinMS) * time.Millisecond
	}
	return p.lastActionAt.Add(time.Duration(a.AfterMS)*time.Millisecond - timerTolerance), p.lastActionAt.Add(within)
}

// checkNotTooSoon returns an error that names the event if it is before the time from.
func checkNotTooSoon(eventName string, from time.Time) error {
	if now := time.Now(); now.Before(from) {
		return clientErrorf("%s came %v too soon", eventName, from.Sub(now).Round(time.Millisecond))
	}
	return nil
}

// awaitNextEventAckingBeats waits for the next event of the client, and returns nil if there is
// none until then. It acknowledges beats, and skips events of abandoned sockets. The message belongs
// to messageReceived.
func (p *Player) awaitNextEventAckingBeats(ctx context.Context, until time.Time) (e *clientEvent, message map[string]any, err error) {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		case <-timer.C:
			return nil, nil, nil
		case e := <-p.events:
			switch {
			case e.kind == requestRejected:
				return nil, nil, clientErrorf("%s", e.reason)
			case e.socket.isAbandoned:
				continue
			case e.kind != messageReceived:
				return &e, nil, nil
			}
			message, err := p.decodeValidMessage(e.data)
			if err != nil {
				return nil, nil, err
			}
			if message["type"] == wire.TypeBeat {
				err = p.acknowledgeBeatIfEnabled(ctx, e.socket, message)
			}
			return &e, message, err
		}
	}
}

// decodeValidMessage decodes a message, and returns an error if the server would reject it.
func (p *Player) decodeValidMessage(data []byte) (message map[string]any, err error) {
	decode := wire.DecodeAnchorRequest
	if p.script.path == "/v1/viewer" {
		decode = wire.DecodeViewerRequest
	}
	if _, err := decode(data); err != nil {
		return nil, clientErrorf("servers reject %s: %v", data, err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&message); err != nil {
		return nil, clientErrorf("%s: %v", data, err)
	}
	return message, nil
}

// awaitConnect waits for a socket, authenticates and welcomes it.
func (p *Player) awaitConnect(ctx context.Context, a *action) error {
	from, until := p.eventWindow(a)
	for {
		e, message, err := p.awaitNextEventAckingBeats(ctx, until)
		switch {
		case err != nil:
			return err
		case e == nil:
			return clientErrorf("the client did not connect within %v", until.Sub(p.lastActionAt))
		case e.kind == messageReceived && message["type"] != wire.TypeBeat:
			return clientErrorf("it sent %s instead of connecting", e.data)
		case e.kind != socketOpened:
			continue // the client may send beats on its old socket, or close it
		}
		if err := checkNotTooSoon("the connection", from); err != nil {
			return err
		}
		if a.As != "" {
			p.socketsByName[a.As] = e.socket
		}
		return p.authenticateAndWelcome(ctx, e.socket)
	}
}

// awaitMessage waits for a message, and permits only beats before it.
func (p *Player) awaitMessage(ctx context.Context, a *action) error {
	socket, err := p.socketOrNewest(a.On)
	if err != nil && !a.Connects {
		return err
	}
	from, until := p.eventWindow(a)
	for {
		e, message, err := p.awaitNextEventAckingBeats(ctx, until)
		switch {
		case err != nil:
			return err
		case e == nil:
			return clientErrorf("%s did not come within %v", messageText(a.Expect), until.Sub(p.lastActionAt))
		case e.kind == socketOpened && a.Connects:
			if err := p.authenticateAndWelcome(ctx, e.socket); err != nil {
				return err
			}
			socket = e.socket
			continue
		case e.kind == socketOpened:
			return clientErrorf("it opened another connection instead of sending %s", messageText(a.Expect))
		case e.kind == socketClosed && e.socket == socket && !a.Connects:
			return clientErrorf("it closed its connection instead of sending %s: %s", messageText(a.Expect), e.reason)
		case e.kind == socketClosed:
			continue
		case e.socket == socket && p.placeholders.matchAndAssign(a.Expect, message):
			if a.Unlike != nil && p.placeholders.matchAndAssign(a.Unlike, message) {
				return clientErrorf("%s must not be like %s", e.data, messageText(a.Unlike))
			}
			p.expectedID = message["id"]
			return checkNotTooSoon(messageText(a.Expect), from)
		case message["type"] != wire.TypeBeat:
			return clientErrorf("it sent %s instead of %s", e.data, messageText(a.Expect))
		}
	}
}

// awaitBeats waits for beats on the interval. The first may come at any time in it.
func (p *Player) awaitBeats(ctx context.Context, a *action) error {
	for i := range a.Beats {
		beat := action{verbs{Expect: map[string]any{"type": wire.TypeBeat}}, modifiers{On: a.On, WithinMS: a.EveryMS * 3 / 2}}
		if i > 0 {
			beat.AfterMS = a.EveryMS / 2
		}
		if err := p.awaitMessage(ctx, &beat); err != nil {
			return err
		}
		p.lastActionAt = time.Now()
	}
	return nil
}

// awaitNoEvent returns an error if the client does anything in the time.
func (p *Player) awaitNoEvent(ctx context.Context, a *action) error {
	e, _, err := p.awaitNextEventAckingBeats(ctx, p.lastActionAt.Add(time.Duration(a.QuietMS)*time.Millisecond))
	switch {
	case err != nil || e == nil:
		return err
	case e.kind == messageReceived:
		return clientErrorf("it sent %s but must be quiet", e.data)
	case e.kind == socketOpened:
		return clientErrorf("it connected but must be quiet")
	default:
		return clientErrorf("it closed its connection but must be quiet: %s", e.reason)
	}
}

// awaitNoForbiddenMessage returns an error if the client sends a forbidden type of message in the
// time.
func (p *Player) awaitNoForbiddenMessage(ctx context.Context, a *action) error {
	for until := p.lastActionAt.Add(time.Duration(a.ForMS) * time.Millisecond); ; {
		e, message, err := p.awaitNextEventAckingBeats(ctx, until)
		switch {
		case err != nil || e == nil:
			return err
		case e.kind == socketOpened:
			if err := p.authenticateAndWelcome(ctx, e.socket); err != nil {
				return err
			}
		case e.kind == messageReceived:
			if messageType, _ := message["type"].(string); slices.Contains(a.Never, messageType) {
				return clientErrorf("it sent %s, which is forbidden now", e.data)
			}
		}
	}
}
