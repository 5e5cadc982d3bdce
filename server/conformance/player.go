package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"

	"onair/hub/wire"
)

// Player plays one script, once.
type Player struct {
	script Script
	out    io.Writer
	events chan clientEvent

	placeholders  placeholders
	welcome       map[string]any
	acks          string
	sockets       []*clientSocket          // newest last
	socketsByName map[string]*clientSocket // by "as"
	expectedID    any                      // id of the last expected message; nil: none
	lastActionAt  time.Time                // end of the last action
}

// NewPlayer returns a player of a script for a client that connects with the token. It
// writes instructions for the tester and the results to out:
//
//	do      start: start a broadcast with the title "conformance"
//	show    8888_b 8888_a: the newest first
//	ok      the first beat comes immediately
//	failed  three beats: …
//	skipped the rest
func NewPlayer(script Script, token string, out io.Writer) *Player {
	return &Player{
		script: script, out: out, events: make(chan clientEvent, 64), acks: acksNo,
		placeholders: placeholders{"token": token}, socketsByName: map[string]*clientSocket{},
	}
}

// clientError is an error of the client under test.
type clientError struct{ error }

func clientErrorf(format string, args ...any) error { return clientError{fmt.Errorf(format, args...)} }

// Play serves the client on l, which it closes, until the end of the script or the first
// failed step; it skips the steps after that. It reports whether all steps passed. Its
// error comes from ctx, from the script or from out.
func (p *Player) Play(ctx context.Context, l net.Listener) (passed bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server := &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	go func() {
		_ = server.Serve(l) // ends with Close; after an error of l, the client does not connect
	}()
	defer server.Close()
	p.lastActionAt = time.Now()
	return p.runScript(ctx)
}

// runScript performs the steps and reports each.
func (p *Player) runScript(ctx context.Context) (passed bool, err error) {
	for i, s := range p.script.steps {
		err := p.performStep(ctx, &s)
		if _, isClientError := errors.AsType[clientError](err); isClientError {
			var report strings.Builder
			fmt.Fprintf(&report, "failed  %s: %v\n", s.name, err)
			for _, skipped := range p.script.steps[i+1:] {
				report.WriteString("skipped " + skipped.name + "\n")
			}
			_, err = io.WriteString(p.out, report.String())
			return false, err
		}
		if err == nil && s.name != "" {
			_, err = fmt.Fprintf(p.out, "ok      %s\n", s.name)
		}
		if err != nil {
			return false, err
		}
	}
	_, err = fmt.Fprintf(p.out, "all %d steps passed\n", len(p.script.steps)-1)
	return true, err
}

func (p *Player) performStep(ctx context.Context, s *step) error {
	for _, a := range s.actions {
		if err := p.performAction(ctx, &a); err != nil {
			return err
		}
		p.lastActionAt = time.Now()
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
		return p.awaitNoEvent(ctx, a)
	case a.Never != nil:
		return p.awaitNoForbiddenMessage(ctx, a)
	}
	socket, err := p.socketOrNewest(a.On)
	if err != nil {
		return err
	}
	switch {
	case a.Send != nil:
		return p.sendMessage(ctx, socket, a.Send)
	case a.Answer != nil:
		if p.expectedID == nil {
			return p.sendMessage(ctx, socket, a.Answer)
		}
		answer := map[string]any{"id": p.expectedID}
		maps.Copy(answer, a.Answer)
		return p.sendMessage(ctx, socket, answer)
	case a.Drop:
		socket.isAbandoned = true
		_ = socket.conn.CloseNow() // the client may have closed it before
	default:
		socket.isAbandoned = true
		go socket.conn.Close(websocket.StatusCode(a.Close), "closed by the script") // it waits for the client
	}
	return nil
}

// socketOrNewest returns the socket with that name, or the newest one if it is empty.
func (p *Player) socketOrNewest(name string) (*clientSocket, error) {
	if name != "" {
		if socket := p.socketsByName[name]; socket != nil {
			return socket, nil
		}
		return nil, fmt.Errorf("no socket is named %q", name)
	}
	if len(p.sockets) == 0 {
		return nil, clientErrorf("the client has no socket")
	}
	return p.sockets[len(p.sockets)-1], nil
}

// sendMessage sends a message, with the values of its placeholders.
func (p *Player) sendMessage(ctx context.Context, socket *clientSocket, message any) error {
	message, err := p.placeholders.expandValue(message)
	if err != nil {
		return err
	}
	data, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if err := socket.writeMessage(ctx, data); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return clientErrorf("sending %s failed: %v", data, err)
	}
	return nil
}

// acknowledgeBeatIfEnabled answers a beat, unless acks is no.
func (p *Player) acknowledgeBeatIfEnabled(ctx context.Context, socket *clientSocket, beat map[string]any) error {
	if p.acks == acksNo || !socket.isWelcomed {
		return nil
	}
	interval, limit := jsonInteger(p.welcome["heartbeat_ms"]), jsonInteger(p.welcome["missed_limit"])
	ack := map[string]any{
		"type": wire.TypeAck, "n": beat["n"], "server_time": "$now",
		"deadline_in_ms": limit*interval + interval/10, // with the default grace of the server
	}
	if id := beat["id"]; id != nil {
		ack["id"] = id
	}
	if p.acks == acksHeld {
		ack["held"] = true
	}
	err := p.sendMessage(ctx, socket, ack)
	if _, isClientError := errors.AsType[clientError](err); isClientError {
		return nil // the client has closed the socket: the script decides about that
	}
	return err
}

// jsonInteger returns a whole number of a message, or 0.
func jsonInteger(value any) int64 {
	number, _ := value.(json.Number)
	i, _ := number.Int64() // 0 for other numbers
	return i
}

// authenticateAndWelcome receives the token of a socket and welcomes it.
func (p *Player) authenticateAndWelcome(ctx context.Context, socket *clientSocket) error {
	if socket.headerToken != "" {
		if socket.headerToken != p.placeholders["token"] {
			return clientErrorf("its header has another token")
		}
		return p.welcomeSocket(ctx, socket)
	}
	for until := time.Now().Add(authTimeout); ; {
		e, message, err := p.awaitNextEventAckingBeats(ctx, until)
		switch {
		case err != nil:
			return err
		case e == nil:
			return clientErrorf("it sent no token within %v", authTimeout)
		case e.kind == socketOpened:
			return clientErrorf("it opened another connection before this one was welcomed")
		case e.socket != socket:
			continue
		case e.kind == socketClosed:
			return clientErrorf("it closed the connection before it was welcomed: %s", e.reason)
		case !p.placeholders.matchAndAssign(map[string]any{"type": wire.TypeAuth, "token": "$token"}, message):
			return clientErrorf("it sent %s before its token", e.data)
		}
		return p.welcomeSocket(ctx, socket)
	}
}

func (p *Player) welcomeSocket(ctx context.Context, socket *clientSocket) error {
	socket.isWelcomed = true
	p.sockets = append(p.sockets, socket)
	welcome := map[string]any{"type": wire.TypeWelcome, "node": "conformance", "build": "v1", "connection": fmt.Sprintf("c%d", len(p.sockets)), "server_time": "$now"}
	maps.Copy(welcome, p.welcome)
	return p.sendMessage(ctx, socket, welcome)
}
