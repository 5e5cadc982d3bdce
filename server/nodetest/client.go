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

// Client is a client in a test. It reads continuously, as clients do, and stores messages
// with their times until the test receives them.
type Client struct {
	T       *testing.T
	Conn    *websocket.Conn
	Timeout time.Duration // of the wait for a message
	Inbox   chan Received
	View    wire.ClientView // by the messages that the test has received
	lastID  int64
}

// Received is a message with its time, or the error that ended the socket.
type Received struct {
	wire.Message
	At  time.Time
	Err error
}

// DialOptions returns the options of a client with a token; "": none.
func DialOptions(token string) *websocket.DialOptions {
	h := http.Header{}
	if token != "" {
		h.Set("Authorization", "Bearer "+token)
	}
	return &websocket.DialOptions{HTTPHeader: h, Subprotocols: []string{wire.Subprotocol}}
}

// NewClient returns a client that reads from a connection until the test ends. timeout
// bounds the wait for a message.
func NewClient(t *testing.T, conn *websocket.Conn, timeout time.Duration) *Client {
	conn.SetReadLimit(-1)
	c := &Client{T: t, Conn: conn, Timeout: timeout, Inbox: make(chan Received, 4096)}
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
		return Received{Err: errors.New("no message arrived in time"), At: time.Now()}
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

// Send sends a message without waiting for an answer.
func (c *Client) Send(m wire.Message) error { return c.SendText(string(wire.Append(nil, m))) }

// SendText sends a text that need not be a message.
func (c *Client) SendText(text string) error {
	ctx, cancel := context.WithTimeout(context.Background(), c.Timeout)
	defer cancel()
	return c.Conn.Write(ctx, websocket.MessageText, []byte(text))
}

// Request sends a request and returns the answer to it. It skips other messages.
func (c *Client) Request(m wire.Message) (answer wire.Message, err error) {
	if err := c.Send(m); err != nil {
		return nil, err
	}
	_, want := wire.Head(m)
	for {
		r := c.TryReceive()
		if r.Err != nil {
			return nil, r.Err
		}
		if _, id := wire.Head(r); id == want {
			return r.Message, nil
		}
	}
}

// RequestReply sends a request, and fails the test unless the answer has type T.
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

// NextID returns a new request id.
func (c *Client) NextID() wire.ID {
	c.lastID++
	return wire.IntID(c.lastID)
}

// AwaitMessage skips messages until one of type T arrives.
func AwaitMessage[T wire.Message](c *Client) (T, time.Time) {
	c.T.Helper()
	for {
		r := c.Receive()
		if m, ok := r.Message.(T); ok {
			return m, r.At
		}
	}
}

// AwaitView receives messages until the view satisfies the condition, and returns the time
// of the last message.
func (c *Client) AwaitView(description string, condition func(*wire.ClientView) bool) time.Time {
	c.T.Helper()
	for !condition(&c.View) {
		r := c.TryReceive()
		if r.Err != nil {
			c.T.Fatalf("waiting for %s: %v", description, r.Err)
		}
		if condition(&c.View) {
			return r.At
		}
	}
	return time.Now()
}

// StateInView returns the state of a live code in a view, or "" if it is not in it.
func StateInView(v *wire.ClientView, code string) string {
	e, ok := v.Entry(code)
	if !ok {
		return ""
	}
	return e.State
}

// AwaitClose skips messages until the socket is closed, and returns the close code and its
// time.
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
