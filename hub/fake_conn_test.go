package hub

import (
	"encoding/binary"
	"fmt"
	"net"
	"sync"

	"github.com/coder/websocket"

	"onair/hub/socket"
	"onair/hub/wire"
)

// fakeConn is a Conn that stores its messages. While it is stuck, its first message
// makes it full.
type fakeConn struct {
	closed  chan struct{}
	onReady func(error)

	mu        sync.Mutex
	isStuck   bool
	pending   []byte // message that made it full; nil: not full
	inbox     [][]byte
	closeCode websocket.StatusCode // of the first Close
}

func newFakeConn() *fakeConn { return &fakeConn{closed: make(chan struct{})} }

func (c *fakeConn) OnWritable(f func(error)) { c.onReady = f }

func (c *fakeConn) Write(m socket.Message) (full bool, err error) {
	frame := m.AppendFrame(nil, false)
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.closed:
		return false, net.ErrClosed
	default:
	}
	if c.pending != nil {
		panic("written to while full")
	}
	if c.isStuck {
		c.pending = payload(frame)
		return true, nil
	}
	c.inbox = append(c.inbox, payload(frame))
	return false, nil
}

// payload is the payload of a server's frame.
func payload(frame []byte) []byte {
	switch n := frame[1]; n {
	case 126:
		return frame[4:][:binary.BigEndian.Uint16(frame[2:])]
	case 127:
		return frame[10:][:binary.BigEndian.Uint64(frame[2:])]
	default:
		return frame[2:][:n]
	}
}

func (c *fakeConn) Close(code websocket.StatusCode, _ string) error {
	c.mu.Lock()
	if c.closeCode == 0 {
		c.closeCode = code
	}
	c.mu.Unlock()
	return c.CloseNow()
}

func (c *fakeConn) CloseNow() error {
	c.mu.Lock()
	full := c.pending
	c.pending = nil
	select {
	case <-c.closed:
	default:
		close(c.closed)
	}
	c.mu.Unlock()
	if full != nil {
		c.onReady(net.ErrClosed)
	}
	return nil
}

// setStuck makes the connection accept no messages, or accept them again.
func (c *fakeConn) setStuck(on bool) {
	c.mu.Lock()
	full := c.pending
	if c.isStuck = on; !on {
		if full != nil {
			c.inbox = append(c.inbox, full)
		}
		c.pending = nil
	}
	c.mu.Unlock()
	if !on && full != nil {
		c.onReady(nil)
	}
}

// takeMessages returns the messages since the last call.
func (c *fakeConn) takeMessages() []wire.Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []wire.Message
	for _, text := range c.inbox {
		m, err := wire.DecodeServerMessage(text)
		if err != nil {
			panic(fmt.Sprintf("%v in %s", err, text))
		}
		all = append(all, m)
	}
	c.inbox = nil
	return all
}
