package nodetest

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

// Client is a client in a test. It reads all the time, as clients do, and
// keeps what came, and when, until the test asks for it.
type Client struct {
	T       *testing.T
	Conn    *websocket.Conn
	Timeout time.Duration // how long to wait for a message
	Inbox   chan Received
	View    wire.ClientView // what a viewer would show, as far as the test has read
	lastID  int64
}

// Received is a message and when it came, or the error that ended the socket.
type Received struct {
	wire.Message
	At  time.Time
	Err error
}

// DialOptions are those of a client with a token; "": none.
func DialOptions(token string) *websocket.DialOptions {
	h := http.Header{}
	if token != "" {
		h.Set("Authorization", "Bearer "+token)
	}
	return &websocket.DialOptions{HTTPHeader: h, Subprotocols: []string{wire.Subprotocol}}
}

// NewClient reads from a connection until the test ends. timeout is how long it waits
// for a message.
func NewClient(t *testing.T, conn *websocket.Conn, patience time.Duration) *Client {
	conn.SetReadLimit(-1)
	c := &Client{T: t, Conn: conn, Timeout: patience, Inbox: make(chan Received, 4096)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(c.Inbox)
		for {
			_, data, err := conn.Read(context.Background())
			if err != nil {
				c.Inbox <- Received{Err: err, At: time.Now()}
				return
			}
			m, err := wire.DecodeServerMessage(data)
			if err != nil {
				err = fmt.Errorf("%s: %w", data, err)
			} else {
				err = LoadContract().CheckMessage(data)
			}
			c.Inbox <- Received{m, time.Now(), err}
		}
	}()
	t.Cleanup(func() {
		conn.CloseNow()
		<-done
	})
	return c
}

// TryReceive waits for the next message or the end of the socket.
func (c *Client) TryReceive() Received {
	late := time.NewTimer(c.Timeout)
	defer late.Stop()
	select {
	case r, ok := <-c.Inbox:
		if !ok {
			return Received{Err: errors.New("the socket ended before"), At: time.Now()}
		}
		if r.Err == nil {
			c.View.Apply(r.Message)
		}
		return r
	case <-late.C:
		return Received{Err: errors.New("no message came in time"), At: time.Now()}
	}
}

// Receive returns the next message, and fails the test when the socket ends.
func (c *Client) Receive() Received {
	c.T.Helper()
	r := c.TryReceive()
	if r.Err != nil {
		c.T.Fatal(r.Err)
	}
	return r
}

// ReceiveWelcome returns the first message.
func (c *Client) ReceiveWelcome() *wire.Welcome {
	c.T.Helper()
	w, ok := c.Receive().Message.(*wire.Welcome)
	if !ok {
		c.T.Fatal("the first message is no welcome")
	}
	return w
}

// Send sends a message and waits for nothing.
func (c *Client) Send(m wire.Message) error { return c.SendText(string(wire.Append(nil, m))) }

// SendText sends a text that need not be a message.
func (c *Client) SendText(text string) error {
	ctx, cancel := context.WithTimeout(context.Background(), c.Timeout)
	defer cancel()
	return c.Conn.Write(ctx, websocket.MessageText, []byte(text))
}

// Request sends a request and returns the answer to it, passing over what the
// server says of its own accord.
func (c *Client) Request(m wire.Message) (wire.Message, error) {
	if err := c.Send(m); err != nil {
		return nil, err
	}
	_, want := m.Head()
	for {
		r := c.TryReceive()
		if r.Err != nil {
			return nil, r.Err
		}
		if _, id := r.Head(); id == want {
			return r.Message, nil
		}
	}
}

// RequestReply asks, and fails the test unless the answer is of that type.
func RequestReply[T wire.Message](c *Client, m wire.Message) T {
	c.T.Helper()
	answer, err := c.Request(m)
	if err != nil {
		c.T.Fatal(err)
	}
	t, ok := answer.(T)
	if !ok {
		c.T.Fatalf("answer is %T %+v, want %T", answer, answer, t)
	}
	return t
}

// NextID gives a fresh request id.
func (c *Client) NextID() wire.ID {
	c.lastID++
	return wire.IntID(c.lastID)
}

// AwaitMessage passes over messages until one of that type comes.
func AwaitMessage[T wire.Message](c *Client) (T, time.Time) {
	c.T.Helper()
	for {
		r := c.Receive()
		if m, ok := r.Message.(T); ok {
			return m, r.At
		}
	}
}

// AwaitView passes over messages until the caller's list is as wanted, and returns
// when that was.
func (c *Client) AwaitView(what string, want func(*wire.ClientView) bool) time.Time {
	c.T.Helper()
	for !want(&c.View) {
		r := c.TryReceive()
		if r.Err != nil {
			c.T.Fatalf("waiting for %s: %v", what, r.Err)
		}
		if want(&c.View) {
			return r.At
		}
	}
	return time.Now()
}

// StateInView is the state in which the list shows a code, "" for not at all.
func StateInView(l *wire.ClientView, code string) string {
	e, ok := l.Entry(code)
	if !ok {
		return ""
	}
	return e.State
}

// AwaitClose passes over messages until the socket is closed, and returns the code.
func (c *Client) AwaitClose() (websocket.StatusCode, time.Time) {
	c.T.Helper()
	for {
		r := c.TryReceive()
		if r.Err == nil {
			continue
		}
		code := websocket.CloseStatus(r.Err)
		if code == -1 {
			c.T.Fatalf("the socket is not closed: %v", r.Err)
		}
		return code, r.At
	}
}
