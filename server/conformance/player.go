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
	events chan event

	values  values
	welcome map[string]any
	acks    string
	lines   []*line          // newest last
	named   map[string]*line // by what "as" called them
	id      any              // of what was expected last; nil: it had none
	done    time.Time        // when the last action was
}

// New returns a player of a script for a client that connects with that token.
// What is asked of the client, and the verdict, are lines on out:
//
//	do      start: start a broadcast with the title "conformance"
//	show    8888_b 8888_a: the newest first
//	ok      the first beat comes at once
//	failed  three beats: …
//	skipped the rest
func New(script Script, token string, out io.Writer) *Player {
	return &Player{
		script: script, out: out, events: make(chan event, 64), acks: acksNo,
		values: values{"token": token}, named: map[string]*line{},
	}
}

// failure is what the client did wrong, or left undone.
type failure struct{ why string }

func (f failure) Error() string { return f.why }

func failed(format string, args ...any) error { return failure{fmt.Sprintf(format, args...)} }

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
	p.done = time.Now()
	return p.play(ctx)
}

func (p *Player) play(ctx context.Context) (bool, error) {
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
		err := p.act(ctx, &a)
		if _, is := errors.AsType[failure](err); is {
			wrong = err
			if err := finish(); err != nil {
				return false, err
			}
			return false, p.skip(p.script.actions[i:])
		}
		if err != nil {
			return false, err
		}
		p.done = time.Now()
	}
	if err := finish(); err != nil {
		return false, err
	}
	_, err := fmt.Fprintf(p.out, "all %d steps passed\n", steps)
	return true, err
}

// skip says which steps were not played.
func (p *Player) skip(rest []action) error {
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

func (p *Player) act(ctx context.Context, a *action) error {
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
		return p.connect(ctx, a)
	case a.Expect != nil:
		return p.expect(ctx, a)
	case a.Beats > 0:
		return p.beats(ctx, a)
	case a.QuietMS > 0:
		return p.quiet(ctx, a)
	case a.Never != nil:
		return p.never(ctx, a)
	}
	l, err := p.line(a.On)
	if err != nil {
		return err
	}
	switch {
	case a.Send != nil:
		return p.say(ctx, l, a.Send)
	case a.Answer != nil:
		if p.id == nil {
			return p.say(ctx, l, a.Answer)
		}
		m := map[string]any{"id": p.id}
		maps.Copy(m, a.Answer)
		return p.say(ctx, l, m)
	case a.Drop:
		l.left = true
		_ = l.conn.CloseNow() // the client may have been quicker
	default:
		l.left = true
		go l.conn.Close(websocket.StatusCode(a.Close), "the script has it so") // it waits for the client's part
	}
	return nil
}

// line is the socket that is called so, or the one that was connected last.
func (p *Player) line(name string) (*line, error) {
	if name != "" {
		if l := p.named[name]; l != nil {
			return l, nil
		}
		return nil, fmt.Errorf("no socket has been called %q", name)
	}
	if len(p.lines) == 0 {
		return nil, failed("the client has no socket")
	}
	return p.lines[len(p.lines)-1], nil
}

func (p *Player) say(ctx context.Context, l *line, m any) error {
	m, err := p.values.fill(m)
	if err != nil {
		return err
	}
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := l.write(ctx, data); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return failed("it could not be told %s: %v", data, err)
	}
	return nil
}

// next waits for what the client does; nil: nothing until then. Beats are
// answered here, and what comes from a socket that the script has done with is
// left out.
func (p *Player) next(ctx context.Context, until time.Time) (*event, map[string]any, error) {
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
			case e.what == refused:
				return nil, nil, failed("%s", e.why)
			case e.line.left:
				continue
			case e.what != said:
				return &e, nil, nil
			}
			m, err := p.read(e.data)
			if err != nil {
				return nil, nil, err
			}
			if m["type"] == wire.TypeBeat {
				err = p.acknowledge(ctx, e.line, m)
			}
			return &e, m, err
		}
	}
}

// read takes a message apart as the server would.
func (p *Player) read(data []byte) (map[string]any, error) {
	decode := wire.DecodeAnchorRequest
	if p.script.path == "/v1/viewer" {
		decode = wire.DecodeViewerRequest
	}
	if _, err := decode(data); err != nil {
		return nil, failed("no server takes %s: %v", data, err)
	}
	var m map[string]any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		return nil, failed("%s: %v", data, err)
	}
	return m, nil
}

// acknowledge answers a beat, if beats are being answered.
func (p *Player) acknowledge(ctx context.Context, l *line, beat map[string]any) error {
	if p.acks == acksNo || !l.let {
		return nil
	}
	interval, limit := number(p.welcome["heartbeat_ms"]), number(p.welcome["missed_limit"])
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
	if err := p.say(ctx, l, ack); err != nil {
		if _, is := errors.AsType[failure](err); !is {
			return err
		} // it has closed the socket since: what that means is for the script to say
	}
	return nil
}

// number is a whole number of a message, 0 if it is none.
func number(v any) int64 {
	n, _ := v.(json.Number)
	i, _ := n.Int64() // as said
	return i
}

const (
	// patience is how long an action waits that does not say it.
	patience = 5 * time.Second
	// early is how much before its time a client's timer may go off: the clocks
	// of two processes are compared.
	early = 20 * time.Millisecond
)

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// window is when what an action waits for may come.
func (p *Player) window(a *action) (from, until time.Time) {
	within := patience
	if a.WithinMS > 0 {
		within = ms(a.WithinMS)
	}
	return p.done.Add(ms(a.AfterMS) - early), p.done.Add(within)
}

// soon is the failure of what came before its time.
func (p *Player) soon(what string, from time.Time) error {
	if now := time.Now(); now.Before(from) {
		return failed("%s came %v too soon", what, from.Sub(now).Round(time.Millisecond))
	}
	return nil
}

// connect waits for a socket, its token, and welcomes it.
func (p *Player) connect(ctx context.Context, a *action) error {
	from, until := p.window(a)
	for {
		e, m, err := p.next(ctx, until)
		switch {
		case err != nil:
			return err
		case e == nil:
			return failed("the client did not connect within %v", until.Sub(p.done))
		case e.what == said && m["type"] != wire.TypeBeat:
			return failed("it sent %s where it was to connect", e.data)
		case e.what != opened:
			continue // a client may beat on, or close, the socket that it gives up
		}
		if err := p.soon("the connection", from); err != nil {
			return err
		}
		if a.As != "" {
			p.named[a.As] = e.line
		}
		return p.letIn(ctx, e.line)
	}
}

// authWithin is how long the server waits for a token.
const authWithin = 5 * time.Second

// letIn takes the token of a socket, and welcomes it.
func (p *Player) letIn(ctx context.Context, l *line) error {
	if l.bearer != "" {
		if l.bearer != p.values["token"] {
			return failed("it brought another token in its header")
		}
		return p.admit(ctx, l)
	}
	for until := time.Now().Add(authWithin); ; {
		e, m, err := p.next(ctx, until)
		switch {
		case err != nil:
			return err
		case e == nil:
			return failed("it sent no token within %v", authWithin)
		case e.what == opened:
			return failed("it opened another connection before this one was welcomed")
		case e.line != l:
			continue
		case e.what == gone:
			return failed("it closed the connection before it was welcomed: %s", e.why)
		case !p.values.matches(map[string]any{"type": wire.TypeAuth, "token": "$token"}, m):
			return failed("it sent %s before its token", e.data)
		}
		return p.admit(ctx, l)
	}
}

func (p *Player) admit(ctx context.Context, l *line) error {
	l.let = true
	p.lines = append(p.lines, l)
	welcome := map[string]any{"type": wire.TypeWelcome, "node": "conformance", "build": "v1", "connection": fmt.Sprintf("c%d", len(p.lines)), "server_time": "$now"}
	maps.Copy(welcome, p.welcome)
	return p.say(ctx, l, welcome)
}

// expect waits for a message, and lets nothing else but beats come before it.
func (p *Player) expect(ctx context.Context, a *action) error {
	on, err := p.line(a.On)
	if err != nil && !a.Connects {
		return err
	}
	from, until := p.window(a)
	for {
		e, m, err := p.next(ctx, until)
		switch {
		case err != nil:
			return err
		case e == nil:
			return failed("%s did not come within %v", text(a.Expect), until.Sub(p.done))
		case e.what == opened && a.Connects:
			if err := p.letIn(ctx, e.line); err != nil {
				return err
			}
			on = e.line
			continue
		case e.what == opened:
			return failed("it opened another connection where %s was to come", text(a.Expect))
		case e.what == gone && e.line == on && !a.Connects:
			return failed("it closed its connection where %s was to come: %s", text(a.Expect), e.why)
		case e.what == gone:
			continue
		case e.line == on && p.values.matches(a.Expect, m):
			if a.Unlike != nil && p.values.matches(a.Unlike, m) {
				return failed("%s is not to be like %s", e.data, text(a.Unlike))
			}
			p.id = m["id"]
			return p.soon(text(a.Expect), from)
		case m["type"] != wire.TypeBeat:
			return failed("it sent %s where %s was to come", e.data, text(a.Expect))
		}
	}
}

// beats waits for beats on the interval. The first may come at any time in it.
func (p *Player) beats(ctx context.Context, a *action) error {
	for i := range a.Beats {
		one := action{Expect: map[string]any{"type": wire.TypeBeat}, On: a.On, WithinMS: a.EveryMS * 3 / 2}
		if i > 0 {
			one.AfterMS = a.EveryMS / 2
		}
		if err := p.expect(ctx, &one); err != nil {
			return err
		}
		p.done = time.Now()
	}
	return nil
}

// quiet lets time pass in which the client does nothing.
func (p *Player) quiet(ctx context.Context, a *action) error {
	e, _, err := p.next(ctx, p.done.Add(ms(a.QuietMS)))
	switch {
	case err != nil || e == nil:
		return err
	case e.what == said:
		return failed("it sent %s where it was to be quiet", e.data)
	case e.what == opened:
		return failed("it connected where it was to be quiet")
	default:
		return failed("it closed its connection where it was to be quiet: %s", e.why)
	}
}

// never lets time pass in which the client may do all but send some messages.
func (p *Player) never(ctx context.Context, a *action) error {
	for until := p.done.Add(ms(a.ForMS)); ; {
		e, m, err := p.next(ctx, until)
		switch {
		case err != nil || e == nil:
			return err
		case e.what == opened:
			if err := p.letIn(ctx, e.line); err != nil {
				return err
			}
		case e.what == said:
			if typ, _ := m["type"].(string); slices.Contains(a.Never, typ) {
				return failed("it sent %s, which it may not any more", e.data)
			}
		}
	}
}
