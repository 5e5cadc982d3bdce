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

// A reader of events is limited as a socket is: it is closed after EventStallTimeout without
// taking a byte, or when one message took eventTimeout.
const (
	EventStallTimeout = 30 * time.Second
	eventTimeout      = 5 * time.Minute
	eventChunkSize    = 16 << 10 // bytes, written under one deadline
	eventSendBuffer   = 16 << 10 // bytes, the kernel's send buffer: a reader that stops must not pin megabytes
	eventRetryField   = "retry: 1000\n\n"
)

// eventWriter is a response of server-sent events, to which the hub writes as to a
// socket. The handler's goroutine is the one that writes the response.
type eventWriter struct {
	// Static after construction.
	w         http.ResponseWriter
	rc        *http.ResponseController
	viewID    string      // whose positions are the events' ids
	onWritten func(error) // set once, by OnReady
	nextEvent chan []byte // of size one: the event to be written; the hub waits until it was
	lastEvent chan []byte // of size one: the same, and then no more
	abandoned chan struct{}
	finished  chan struct{} // closed when over

	mu         sync.Mutex // guards over
	isFinished bool       // the handler writes no more

	abandonOnce sync.Once   // closes gone
	isWriting   atomic.Bool // so a deadline would end it
	hasWritten  bool        // owned by the handler
}

var _ hub.Conn = (*eventWriter)(nil)

// OnWritable implements hub.Conn.
func (ev *eventWriter) OnWritable(f func(error)) { ev.onWritten = f }

// Write has the handler write a message as one event.
func (ev *eventWriter) Write(m socket.Message) (full bool, err error) {
	message := m.AppendText(nil)
	typ, view, pos := wire.PeekHeader(message)
	text := make([]byte, 0, len(message)+128)
	text = append(append(text, "event: "...), typ...)
	if pos != "" && view == ev.viewID {
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

// finish is when the handler writes no more.
func (ev *eventWriter) finish() {
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

// errSlowReader ends a response whose reader took too long for one message.
var errSlowReader = errors.New("events: the reader is too slow")

// writeEvent writes an event. The handler calls it.
func (ev *eventWriter) writeEvent(text []byte) error {
	ev.isWriting.Store(true)
	defer ev.isWriting.Store(false)
	if !ev.hasWritten {
		ev.hasWritten = true
		text = append([]byte(eventRetryField), text...)
	}
	limit := time.Now().Add(eventTimeout)
	for len(text) > 0 {
		now := time.Now()
		if !now.Before(limit) {
			return errSlowReader
		}
		n := min(len(text), eventChunkSize)
		if err := ev.setWriteDeadline(now.Add(EventStallTimeout)); err != nil {
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
	return ev.setWriteDeadline(time.Time{}) // HTTP/2 ends a response when it passes, written or not
}

// setWriteDeadline sets when writing ends, unless it has been ended meanwhile.
func (ev *eventWriter) setWriteDeadline(at time.Time) error {
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

// Close writes the reason as the last event.
func (ev *eventWriter) Close(code websocket.StatusCode, reason string) error {
	text := append([]byte("event: close\ndata: {\"type\":\"close\",\"code\":"), strconv.Itoa(int(code))...)
	text = wire.AppendJSONString(append(text, `,"reason":`...), reason)
	ev.lastEvent <- append(text, "}\n\n"...)
	<-ev.finished
	return nil
}

// CloseNow ends a send that is under way, and lets the handler return.
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
