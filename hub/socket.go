package hub

import (
	"sync"
	"time"

	"github.com/coder/websocket"

	"onair/hub/socket"
	"onair/hub/wire"
)

// Conn is the part of a connection that the hub uses; [*socket.Conn]
// implements it.
type Conn interface {
	// OnWritable sets the function that is called when the connection accepts
	// messages again after a full Write, or with the error if it never will. The function
	// must not be called within Write.
	OnWritable(f func(error))
	// Write does not block. full means that the message was accepted but not
	// all sent: no other may be written until the function of OnWritable is called. An
	// error means that the message will not be sent.
	Write(m socket.Message) (full bool, err error)
	// Close performs the closing handshake, and may block.
	Close(code websocket.StatusCode, reason string) error
	// CloseNow closes without a handshake, and may block.
	CloseNow() error
}

var _ Conn = (*socket.Conn)(nil)

// Bounds of the answers that wait for a socket whose client does not read.
const (
	maxAnswers     = 64
	maxAnswerBytes = 256 << 10
)

// Socket is one connection and the messages that wait for it: first answers,
// then one diff for each view that is behind. There is no queue of diffs, and no
// goroutine of its own: see writePendingMessages. Its methods are safe for concurrent use.
type Socket struct {
	// Static after construction.
	hub        *Hub
	conn       Conn
	shard      *shard
	sendsPings bool

	subscriptions

	mu        sync.Mutex // guards the fields below; held during Write, which does not block
	answers   answerQueue
	pumping   bool          // a goroutine is in writePendingMessages, and checks again at its end
	full      bool          // conn accepts no message now
	behind    bool          // a cursor is behind its view
	stopped   bool          // nothing more is written
	inFlight  messageInfo   // message that made conn full
	pingTimer *time.Timer   // set while the socket has no views
	closing   *pendingClose // set by CloseAfterAnswers
}

// answer is a message for one socket, or a request whose answer is made when the
// socket can accept it.
type answer struct {
	kind    messageKind
	text    []byte
	request *request
}

// answerQueue is the first-in-first-out queue of a socket's answers.
type answerQueue struct {
	list  []answer
	bytes int
}

func (q *answerQueue) push(a answer) {
	q.list = append(q.list, a)
	q.bytes += len(a.text)
}

func (q *answerQueue) pop() answer {
	a := q.list[0]
	q.list[0] = answer{}
	if q.list = q.list[1:]; len(q.list) == 0 {
		q.list = nil
	}
	q.bytes -= len(a.text)
	return a
}

// pendingClose is how a socket closes once its answers are sent.
type pendingClose struct {
	code    websocket.StatusCode
	reason  string
	started bool
	done    chan struct{} // closed when the connection is, or cannot be closed this way
}

// Attach adds a viewer's connection. The caller reads from it, and must call
// Close after the last read.
func (h *Hub) Attach(conn Conn) *Socket { return h.attach(conn, true) }

// AttachAnchor is Attach for a socket without views, to which the hub sends no
// pings.
func (h *Hub) AttachAnchor(conn Conn) *Socket { return h.attach(conn, false) }

func (h *Hub) attach(conn Conn, sendsPings bool) *Socket {
	s := &Socket{hub: h, conn: conn, sendsPings: sendsPings, shard: h.fanout.nextShard()}
	conn.OnWritable(s.handleWritable)
	s.mu.Lock()
	s.updatePingTimer()
	s.mu.Unlock()
	return s
}

// Send enqueues an answer. The socket owns text from then on. It does not block.
// A socket with too many unsent answers is closed with code 1008.
func (s *Socket) Send(text []byte) {
	s.enqueueAnswerOrClose(answer{kind: answerMessage, text: text})
	s.writePendingMessages()
}

// enqueueRequestOrClose enqueues a request: writePendingMessages makes its answer.
func (s *Socket) enqueueRequestOrClose(r *request) {
	s.enqueueAnswerOrClose(answer{kind: answerMessage, request: r})
}

func (s *Socket) enqueueAnswerOrClose(a answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped || s.closing != nil {
		return
	}
	if len(s.answers.list) >= maxAnswers || s.answers.bytes+len(a.text) > maxAnswerBytes {
		s.closing = &pendingClose{code: wire.ClosePolicy, reason: "answers are not read", done: make(chan struct{})}
		s.startClose()
		return
	}
	s.answers.push(a)
}

// CloseAfterAnswers closes the socket once the answers so far are sent. Later answers are
// discarded. It does not block.
func (s *Socket) CloseAfterAnswers(code int, reason string) {
	s.mu.Lock()
	if s.closing == nil && !s.stopped {
		s.closing = &pendingClose{code: websocket.StatusCode(code), reason: reason, done: make(chan struct{})}
	}
	s.mu.Unlock()
	s.writePendingMessages()
}

// Close closes all views and watches, and then the connection. After
// CloseAfterAnswers, it waits until that has closed the connection.
func (s *Socket) Close() {
	s.hub.closeViewsAndWatches(s)
	s.mu.Lock()
	closing := s.closing
	if closing == nil {
		s.stopWriting()
	}
	s.mu.Unlock()
	if closing != nil {
		<-closing.done
	}
	s.conn.CloseNow()
}

// startClose closes the connection with the code and reason in s.closing. The
// caller holds mu.
func (s *Socket) startClose() {
	closing := s.closing
	closing.started = true
	s.stopWriting()
	go func() {
		defer close(closing.done)
		s.conn.Close(closing.code, closing.reason)
	}()
}

// stopWriting discards all answers, present and future. The caller holds mu.
func (s *Socket) stopWriting() {
	s.stopped = true
	s.answers.list = nil
	s.stopPingTimer()
	if s.closing != nil && !s.closing.started {
		s.closing.started = true
		close(s.closing.done)
	}
}

// updatePingTimer runs the ping timer while the socket has no views, which send
// idle diffs. The caller holds mu.
func (s *Socket) updatePingTimer() {
	switch {
	case !s.sendsPings || s.stopped:
	case len(s.cursors) > 0:
		s.stopPingTimer()
	case s.pingTimer == nil:
		s.pingTimer = time.AfterFunc(s.hub.options.IdleInterval, s.pingAndRestartTimer)
	}
}

func (s *Socket) stopPingTimer() {
	if s.pingTimer != nil {
		s.pingTimer.Stop()
		s.pingTimer = nil
	}
}

var pingText = wire.Append(nil, &wire.Ping{})

// pingAndRestartTimer sends a ping unless the connection is full, and restarts the timer.
func (s *Socket) pingAndRestartTimer() {
	s.mu.Lock()
	if s.pingTimer != nil {
		s.pingTimer.Reset(s.hub.options.IdleInterval)
		if !s.full {
			s.answers.push(answer{kind: pingMessage, text: pingText})
		}
	}
	s.mu.Unlock()
	s.writePendingMessages()
}
