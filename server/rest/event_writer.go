package rest

import (
	"errors"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"onair/hub"
	"onair/hub/socket"
	"onair/hub/wire"
)

// Limits of a response of events.
const (
	EventStallTimeout = 30 * time.Second // for a chunk
	eventTimeout      = 5 * time.Minute  // for a whole event
	eventChunkSize    = 16 << 10         // bytes that are written under one deadline
	eventSendBuffer   = 16 << 10         // bytes; bounds the kernel's memory for a client that stops reading
	eventRetryField   = "retry: 1000\n\n"

	// deadPeerCheckInterval is the time between two checks whether the client has vanished.
	deadPeerCheckInterval = 10 * time.Second
)

// eventWriter is a response of server-sent events. The hub writes to it as to a socket; the
// goroutine of the handler writes the response.
type eventWriter struct {
	// Static after construction.
	w         http.ResponseWriter
	rc        *http.ResponseController
	netConn   net.Conn      // nil: unknown, or other responses share it
	viewID    string        // the view whose positions are the ids of events
	onWritten func(error)   // set once, by OnWritable
	nextEvent chan []byte   // of size one; the hub waits until the event is written
	lastEvent chan []byte   // of size one; the response ends after this event
	abandoned chan struct{} // closed by CloseNow
	finished  chan struct{} // closed when the handler writes no more

	mu         sync.Mutex // guards isFinished
	isFinished bool       // the handler writes no more

	abandonOnce sync.Once   // closes abandoned
	isWriting   atomic.Bool // a deadline would interrupt the write
	hasWritten  bool        // owned by the handler
}

var _ hub.Conn = (*eventWriter)(nil)

// OnWritable implements hub.Conn.
func (ev *eventWriter) OnWritable(onWritten func(error)) { ev.onWritten = onWritten }

// Write passes a message to the handler, which writes it as one event.
func (ev *eventWriter) Write(m socket.Message) (isFull bool, err error) {
	message := m.AppendText(nil)
	messageType, viewID, pos := wire.PeekHeader(message)
	text := make([]byte, 0, len(message)+128)
	text = append(append(text, "event: "...), messageType...)
	if pos != "" && viewID == ev.viewID {
		text = append(append(text, "\nid: "...), pos...)
	}
	text = append(append(text, "\ndata: "...), message...)
	ev.mu.Lock()
	defer ev.mu.Unlock()
	if ev.isFinished {
		return false, net.ErrClosed
	}
	ev.nextEvent <- append(text, "\n\n"...)
	return true, nil
}

// rejectWrites makes later writes fail. The handler calls it when it writes no more.
func (ev *eventWriter) rejectWrites() {
	ev.mu.Lock()
	ev.isFinished = true
	ev.mu.Unlock()
	close(ev.finished)
	select {
	case <-ev.nextEvent:
		ev.onWritten(net.ErrClosed)
	default:
	}
}

// errSlowReader is returned when writing an event took longer than eventTimeout.
var errSlowReader = errors.New("events: client reads too slowly")

// writeEvent writes an event. The handler calls it.
func (ev *eventWriter) writeEvent(text []byte) error {
	ev.isWriting.Store(true)
	defer ev.isWriting.Store(false)
	if !ev.hasWritten {
		ev.hasWritten = true
		text = append([]byte(eventRetryField), text...)
	}
	deadline := time.Now().Add(eventTimeout)
	for len(text) > 0 {
		now := time.Now()
		if !now.Before(deadline) {
			return errSlowReader
		}
		n := min(len(text), eventChunkSize)
		if err := ev.setDeadlineUnlessAbandoned(now.Add(EventStallTimeout)); err != nil {
			return err
		}
		if _, err := ev.w.Write(text[:n]); err != nil {
			return err
		}
		if err := ev.rc.Flush(); err != nil {
			return err
		}
		text = text[n:]
	}
	return ev.setDeadlineUnlessAbandoned(time.Time{}) // HTTP/2 ends a response at its deadline even if nothing is written
}

// setDeadlineUnlessAbandoned sets the deadline of writes. It returns net.ErrClosed after CloseNow.
func (ev *eventWriter) setDeadlineUnlessAbandoned(at time.Time) error {
	if err := ev.rc.SetWriteDeadline(at); err != nil {
		return err
	}
	select {
	case <-ev.abandoned:
		return net.ErrClosed
	default:
		return nil
	}
}

// Close writes the reason as the last event and waits until the handler has finished.
func (ev *eventWriter) Close(code websocket.StatusCode, reason string) error {
	text := append([]byte("event: close\ndata: {\"type\":\"close\",\"code\":"), strconv.Itoa(int(code))...)
	text = wire.AppendJSONString(append(text, `,"reason":`...), reason)
	ev.lastEvent <- append(text, "}\n\n"...)
	<-ev.finished
	return nil
}

// CloseNow interrupts a write and makes the handler return.
func (ev *eventWriter) CloseNow() error {
	var err error
	ev.abandonOnce.Do(func() {
		close(ev.abandoned)
		if ev.isWriting.Load() {
			err = ev.rc.SetWriteDeadline(time.Unix(1, 0))
		}
	})
	return err
}
