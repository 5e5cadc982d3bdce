package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/coder/websocket"

	"onair/hub/wire"
)

// A Player plays one script, once.
type Player struct {
	script Script
	out    io.Writer
	events chan clientEvent

	placeholders  placeholders
	welcome       map[string]any
	acks          string
	sockets       []*clientSocket          // newest last
	socketsByName map[string]*clientSocket // by what "as" called them
	expectedID    any                      // of what was expected last; nil: it had none
	lastActionAt  time.Time                // when the last action was
}

// NewPlayer returns a player of a script for a client that connects with that token.
// What is asked of the client, and the verdict, are lines on out:
//
//	do      start: start a broadcast with the title "conformance"
//	show    8888_b 8888_a: the newest first
//	ok      the first beat comes at once
//	failed  three beats: …
//	skipped the rest
func NewPlayer(script Script, token string, out io.Writer) *Player {
	return &Player{
		script: script, out: out, events: make(chan clientEvent, 64), acks: acksNo,
		placeholders: placeholders{"token": token}, socketsByName: map[string]*clientSocket{},
	}
}

// clientError is what the client did wrong, or left undone.
type clientError struct{ why string }

func (f clientError) Error() string { return f.why }

func clientErrorf(format string, args ...any) error { return clientError{fmt.Sprintf(format, args...)} }

// Play serves the client on l, which it closes, until the script is over or a
// step has failed: what comes after it cannot be judged, and is skipped. It
// reports whether all steps were passed. Its error is that of ctx, of the
// script or of out.
func (p *Player) Play(ctx context.Context, l net.Listener) (passed bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server := &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	go func() {
		_ = server.Serve(l) // it ends when it is closed, and a listener that breaks is a client that does not come
	}()
	defer server.Close()
	p.lastActionAt = time.Now()
	return p.runScript(ctx)
}

func (p *Player) runScript(ctx context.Context) (bool, error) {
	step, steps, wrong := "", 0, error(nil)
	finish := func() error {
		var err error
		switch {
		case step == "":
		case wrong == nil:
			steps++
			_, err = fmt.Fprintf(p.out, "ok      %s\n", step)
		default:
			_, err = fmt.Fprintf(p.out, "failed  %s: %s\n", step, wrong)
		}
		return err
	}
	for i, a := range p.script.actions {
		if a.Step != "" {
			if err := finish(); err != nil {
				return false, err
			}
			step = a.Step
			continue
		}
		err := p.performAction(ctx, &a)
		if _, is := errors.AsType[clientError](err); is {
			wrong = err
			if err := finish(); err != nil {
				return false, err
			}
			return false, p.printSkipped(p.script.actions[i:])
		}
		if err != nil {
			return false, err
		}
		p.lastActionAt = time.Now()
	}
	if err := finish(); err != nil {
		return false, err
	}
	_, err := fmt.Fprintf(p.out, "all %d steps passed\n", steps)
	return true, err
}

// printSkipped says which steps were not played.
func (p *Player) printSkipped(rest []action) error {
	for _, a := range rest {
		if a.Step == "" {
			continue
		}
		if _, err := fmt.Fprintf(p.out, "skipped %s\n", a.Step); err != nil {
			return err
		}
	}
	return nil
}

func (p *Player) performAction(ctx context.Context, a *action) error {
	switch {
	case a.Welcome != nil:
		p.welcome = a.Welcome
		return nil
	case a.Do != "":
		_, err := fmt.Fprintf(p.out, "do      %s: %s\n", a.Do, a.How)
		return err
	case a.Show != nil:
		_, err := fmt.Fprintf(p.out, "show    %s: %s\n", strings.Join(a.Show, " "), a.How)
		return err
	case a.Acks != "":
		p.acks = a.Acks
		return nil
	case a.Connect:
		return p.awaitConnect(ctx, a)
	case a.Expect != nil:
		return p.awaitMessage(ctx, a)
	case a.Beats > 0:
		return p.awaitBeats(ctx, a)
	case a.QuietMS > 0:
		return p.awaitSilence(ctx, a)
	case a.Never != nil:
		return p.awaitWithout(ctx, a)
	}
	l, err := p.socketNamed(a.On)
	if err != nil {
		return err
	}
	switch {
	case a.Send != nil:
		return p.sendMessage(ctx, l, a.Send)
	case a.Answer != nil:
		if p.expectedID == nil {
			return p.sendMessage(ctx, l, a.Answer)
		}
		m := map[string]any{"id": p.expectedID}
		maps.Copy(m, a.Answer)
		return p.sendMessage(ctx, l, m)
	case a.Drop:
		l.isAbandoned = true
		_ = l.conn.CloseNow() // the client may have been quicker
	default:
		l.isAbandoned = true
		go l.conn.Close(websocket.StatusCode(a.Close), "the script has it so") // it waits for the client's part
	}
	return nil
}

// socketNamed is the socket that is called so, or the one that was connected last.
func (p *Player) socketNamed(name string) (*clientSocket, error) {
	if name != "" {
		if l := p.socketsByName[name]; l != nil {
			return l, nil
		}
		return nil, fmt.Errorf("no socket has been called %q", name)
	}
	if len(p.sockets) == 0 {
		return nil, clientErrorf("the client has no socket")
	}
	return p.sockets[len(p.sockets)-1], nil
}

func (p *Player) sendMessage(ctx context.Context, l *clientSocket, m any) error {
	m, err := p.placeholders.fill(m)
	if err != nil {
		return err
	}
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := l.writeMessage(ctx, data); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return clientErrorf("it could not be told %s: %v", data, err)
	}
	return nil
}

// nextEvent waits for what the client does; nil: nothing until then. Beats are
// answered here, and what comes from a socket that the script has done with is
// left out.
func (p *Player) nextEvent(ctx context.Context, until time.Time) (*clientEvent, map[string]any, error) {
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
			m, err := p.decodeMessage(e.data)
			if err != nil {
				return nil, nil, err
			}
			if m["type"] == wire.TypeBeat {
				err = p.acknowledgeBeat(ctx, e.socket, m)
			}
			return &e, m, err
		}
	}
}

// decodeMessage takes a message apart as the server would.
func (p *Player) decodeMessage(data []byte) (map[string]any, error) {
	decode := wire.DecodeAnchorRequest
	if p.script.path == "/v1/viewer" {
		decode = wire.DecodeViewerRequest
	}
	if _, err := decode(data); err != nil {
		return nil, clientErrorf("no server takes %s: %v", data, err)
	}
	var m map[string]any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		return nil, clientErrorf("%s: %v", data, err)
	}
	return m, nil
}

// acknowledgeBeat answers a beat, if beats are being answered.
func (p *Player) acknowledgeBeat(ctx context.Context, l *clientSocket, beat map[string]any) error {
	if p.acks == acksNo || !l.isWelcomed {
		return nil
	}
	interval, limit := integer(p.welcome["heartbeat_ms"]), integer(p.welcome["missed_limit"])
	ack := map[string]any{
		"type": wire.TypeAck, "n": beat["n"], "server_time": "$now",
		"deadline_in_ms": limit*interval + interval/10, // the grace that servers give by default
	}
	if id := beat["id"]; id != nil {
		ack["id"] = id
	}
	if p.acks == acksHeld {
		ack["held"] = true
	}
	if err := p.sendMessage(ctx, l, ack); err != nil {
		if _, is := errors.AsType[clientError](err); !is {
			return err
		} // it has closed the socket since: what that means is for the script to say
	}
	return nil
}

// integer is a whole number of a message, 0 if it is none.
func integer(v any) int64 {
	n, _ := v.(json.Number)
	i, _ := n.Int64() // as said
	return i
}

const (
	// defaultTimeout is how long an action waits that does not say it.
	defaultTimeout = 5 * time.Second
	// timerTolerance is how much before its time a client's timer may go off: the clocks
	// of two processes are compared.
	timerTolerance = 20 * time.Millisecond
)

func milliseconds(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// actionWindow is when what an action waits for may come.
func (p *Player) actionWindow(a *action) (from, until time.Time) {
	within := defaultTimeout
	if a.WithinMS > 0 {
		within = milliseconds(a.WithinMS)
	}
	return p.lastActionAt.Add(milliseconds(a.AfterMS) - timerTolerance), p.lastActionAt.Add(within)
}

// checkNotTooSoon is the failure of what came before its time.
func (p *Player) checkNotTooSoon(what string, from time.Time) error {
	if now := time.Now(); now.Before(from) {
		return clientErrorf("%s came %v too soon", what, from.Sub(now).Round(time.Millisecond))
	}
	return nil
}

// awaitConnect waits for a socket, its token, and welcomes it.
func (p *Player) awaitConnect(ctx context.Context, a *action) error {
	from, until := p.actionWindow(a)
	for {
		e, m, err := p.nextEvent(ctx, until)
		switch {
		case err != nil:
			return err
		case e == nil:
			return clientErrorf("the client did not connect within %v", until.Sub(p.lastActionAt))
		case e.kind == messageReceived && m["type"] != wire.TypeBeat:
			return clientErrorf("it sent %s where it was to connect", e.data)
		case e.kind != socketOpened:
			continue // a client may beat on, or close, the socket that it gives up
		}
		if err := p.checkNotTooSoon("the connection", from); err != nil {
			return err
		}
		if a.As != "" {
			p.socketsByName[a.As] = e.socket
		}
		return p.authenticate(ctx, e.socket)
	}
}

// authTimeout is how long the server waits for a token.
const authTimeout = 5 * time.Second

// authenticate takes the token of a socket, and welcomes it.
func (p *Player) authenticate(ctx context.Context, l *clientSocket) error {
	if l.headerToken != "" {
		if l.headerToken != p.placeholders["token"] {
			return clientErrorf("it brought another token in its header")
		}
		return p.welcomeSocket(ctx, l)
	}
	for until := time.Now().Add(authTimeout); ; {
		e, m, err := p.nextEvent(ctx, until)
		switch {
		case err != nil:
			return err
		case e == nil:
			return clientErrorf("it sent no token within %v", authTimeout)
		case e.kind == socketOpened:
			return clientErrorf("it opened another connection before this one was welcomed")
		case e.socket != l:
			continue
		case e.kind == socketClosed:
			return clientErrorf("it closed the connection before it was welcomed: %s", e.reason)
		case !p.placeholders.matches(map[string]any{"type": wire.TypeAuth, "token": "$token"}, m):
			return clientErrorf("it sent %s before its token", e.data)
		}
		return p.welcomeSocket(ctx, l)
	}
}

func (p *Player) welcomeSocket(ctx context.Context, l *clientSocket) error {
	l.isWelcomed = true
	p.sockets = append(p.sockets, l)
	welcome := map[string]any{"type": wire.TypeWelcome, "node": "conformance", "build": "v1", "connection": fmt.Sprintf("c%d", len(p.sockets)), "server_time": "$now"}
	maps.Copy(welcome, p.welcome)
	return p.sendMessage(ctx, l, welcome)
}

// awaitMessage waits for a message, and lets nothing else but beats come before it.
func (p *Player) awaitMessage(ctx context.Context, a *action) error {
	on, err := p.socketNamed(a.On)
	if err != nil && !a.Connects {
		return err
	}
	from, until := p.actionWindow(a)
	for {
		e, m, err := p.nextEvent(ctx, until)
		switch {
		case err != nil:
			return err
		case e == nil:
			return clientErrorf("%s did not come within %v", messageText(a.Expect), until.Sub(p.lastActionAt))
		case e.kind == socketOpened && a.Connects:
			if err := p.authenticate(ctx, e.socket); err != nil {
				return err
			}
			on = e.socket
			continue
		case e.kind == socketOpened:
			return clientErrorf("it opened another connection where %s was to come", messageText(a.Expect))
		case e.kind == socketClosed && e.socket == on && !a.Connects:
			return clientErrorf("it closed its connection where %s was to come: %s", messageText(a.Expect), e.reason)
		case e.kind == socketClosed:
			continue
		case e.socket == on && p.placeholders.matches(a.Expect, m):
			if a.Unlike != nil && p.placeholders.matches(a.Unlike, m) {
				return clientErrorf("%s is not to be like %s", e.data, messageText(a.Unlike))
			}
			p.expectedID = m["id"]
			return p.checkNotTooSoon(messageText(a.Expect), from)
		case m["type"] != wire.TypeBeat:
			return clientErrorf("it sent %s where %s was to come", e.data, messageText(a.Expect))
		}
	}
}

// awaitBeats waits for beats on the interval. The first may come at any time in it.
func (p *Player) awaitBeats(ctx context.Context, a *action) error {
	for i := range a.Beats {
		one := action{Expect: map[string]any{"type": wire.TypeBeat}, On: a.On, WithinMS: a.EveryMS * 3 / 2}
		if i > 0 {
			one.AfterMS = a.EveryMS / 2
		}
		if err := p.awaitMessage(ctx, &one); err != nil {
			return err
		}
		p.lastActionAt = time.Now()
	}
	return nil
}

// awaitSilence lets time pass in which the client does nothing.
func (p *Player) awaitSilence(ctx context.Context, a *action) error {
	e, _, err := p.nextEvent(ctx, p.lastActionAt.Add(milliseconds(a.QuietMS)))
	switch {
	case err != nil || e == nil:
		return err
	case e.kind == messageReceived:
		return clientErrorf("it sent %s where it was to be quiet", e.data)
	case e.kind == socketOpened:
		return clientErrorf("it connected where it was to be quiet")
	default:
		return clientErrorf("it closed its connection where it was to be quiet: %s", e.reason)
	}
}

// awaitWithout lets time pass in which the client may do all but send some messages.
func (p *Player) awaitWithout(ctx context.Context, a *action) error {
	for until := p.lastActionAt.Add(milliseconds(a.ForMS)); ; {
		e, m, err := p.nextEvent(ctx, until)
		switch {
		case err != nil || e == nil:
			return err
		case e.kind == socketOpened:
			if err := p.authenticate(ctx, e.socket); err != nil {
				return err
			}
		case e.kind == messageReceived:
			if typ, _ := m["type"].(string); slices.Contains(a.Never, typ) {
				return clientErrorf("it sent %s, which it may not any more", e.data)
			}
		}
	}
}
