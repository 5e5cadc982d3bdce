package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"

	"onair/hub/wire"
)

// caller is a client in a test. It reads all the time, as clients do, and
// keeps what came, and when, until the test asks for it.
type caller struct {
	t        *testing.T
	conn     *websocket.Conn
	patience time.Duration // how long to wait for a message
	inbox    chan received
	list     wire.ClientView // what a viewer would show, as far as the test has read
	asked    int64
}

type received struct {
	wire.Message
	at  time.Time
	err error
}

func dialOptions(token string) *websocket.DialOptions {
	h := http.Header{}
	if token != "" {
		h.Set("Authorization", "Bearer "+token)
	}
	return &websocket.DialOptions{HTTPHeader: h, Subprotocols: []string{wire.Subprotocol}}
}

func newCaller(t *testing.T, conn *websocket.Conn, patience time.Duration) *caller {
	conn.SetReadLimit(-1)
	c := &caller{t: t, conn: conn, patience: patience, inbox: make(chan received, 4096)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(c.inbox)
		for {
			_, data, err := conn.Read(context.Background())
			if err != nil {
				c.inbox <- received{err: err, at: time.Now()}
				return
			}
			m, err := wire.DecodeServerMessage(data)
			if err != nil {
				err = fmt.Errorf("%s: %w", data, err)
			} else {
				err = documented().message(data)
			}
			c.inbox <- received{m, time.Now(), err}
		}
	}()
	t.Cleanup(func() {
		conn.CloseNow()
		<-done
	})
	return c
}

// try waits for the next message or the end of the socket.
func (c *caller) try() received {
	late := time.NewTimer(c.patience)
	defer late.Stop()
	select {
	case r, ok := <-c.inbox:
		if !ok {
			return received{err: errors.New("the socket ended before"), at: time.Now()}
		}
		if r.err == nil {
			c.list.Apply(r.Message)
		}
		return r
	case <-late.C:
		return received{err: errors.New("no message came in time"), at: time.Now()}
	}
}

func (c *caller) next() received {
	c.t.Helper()
	r := c.try()
	if r.err != nil {
		c.t.Fatal(r.err)
	}
	return r
}

func (c *caller) welcomed() *wire.Welcome {
	c.t.Helper()
	w, ok := c.next().Message.(*wire.Welcome)
	if !ok {
		c.t.Fatal("the first message is no welcome")
	}
	return w
}

// tell sends a message and waits for nothing.
func (c *caller) tell(m wire.Message) error { return c.raw(string(wire.Append(nil, m))) }

func (c *caller) raw(text string) error {
	ctx, cancel := context.WithTimeout(context.Background(), c.patience)
	defer cancel()
	return c.conn.Write(ctx, websocket.MessageText, []byte(text))
}

// ask sends a request and returns the answer to it, passing over what the
// server says of its own accord.
func (c *caller) ask(m wire.Message) (wire.Message, error) {
	if err := c.tell(m); err != nil {
		return nil, err
	}
	_, want := m.Head()
	for {
		r := c.try()
		if r.err != nil {
			return nil, r.err
		}
		if _, id := r.Head(); id == want {
			return r.Message, nil
		}
	}
}

// answerTo asks, and fails the test unless the answer is of that type.
func answerTo[T wire.Message](c *caller, m wire.Message) T {
	c.t.Helper()
	answer, err := c.ask(m)
	if err != nil {
		c.t.Fatal(err)
	}
	t, ok := answer.(T)
	if !ok {
		c.t.Fatalf("answer is %T %+v, want %T", answer, answer, t)
	}
	return t
}

// id gives a fresh request id.
func (c *caller) id() wire.ID {
	c.asked++
	return wire.IntID(c.asked)
}

// expect passes over messages until one of that type comes.
func expect[T wire.Message](c *caller) (T, time.Time) {
	c.t.Helper()
	for {
		r := c.next()
		if m, ok := r.Message.(T); ok {
			return m, r.at
		}
	}
}

// shows passes over messages until the caller's list is as wanted, and returns
// when that was.
func (c *caller) shows(what string, want func(*wire.ClientView) bool) time.Time {
	c.t.Helper()
	for !want(&c.list) {
		r := c.try()
		if r.err != nil {
			c.t.Fatalf("waiting for %s: %v", what, r.err)
		}
		if want(&c.list) {
			return r.at
		}
	}
	return time.Now()
}

// state is the state in which the list shows a code, "" for not at all.
func state(l *wire.ClientView, code string) string {
	e, ok := l.Entry(code)
	if !ok {
		return ""
	}
	return e.State
}

// closes passes over messages until the socket is closed, and returns the code.
func (c *caller) closes() (websocket.StatusCode, time.Time) {
	c.t.Helper()
	for {
		r := c.try()
		if r.err == nil {
			continue
		}
		code := websocket.CloseStatus(r.err)
		if code == -1 {
			c.t.Fatalf("the socket is not closed: %v", r.err)
		}
		return code, r.at
	}
}
