package hub

import (
	"sync"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/time/rate"

	"onair/hub/socket"
	"onair/hub/wire"
)

// Writer is a connection as the hub needs it; a [*socket.Conn] is one. Write
// may block; Close and CloseNow make it return.
type Writer interface {
	Write(m socket.Message) error
	Close(code websocket.StatusCode, reason string) error
	CloseNow() error
}

var _ Writer = (*socket.Conn)(nil)

// What may wait for a socket that does not read.
const (
	maxAnswers     = 64
	maxAnswerBytes = 256 << 10
)

// Socket is one connection and its writer: the goroutine that sends it first
// the answers that wait, then a frame that was handed over, then each of its
// views that is behind.
type Socket struct {
	// Static after construction.
	hub   *Hub
	w     Writer
	pings bool
	wake  chan struct{} // of size one: there may be something to write
	tasks sync.WaitGroup

	// Guarded by Hub.mu.
	cursors []*cursor
	watches []*watch
	closed  bool
	asking  *rate.Limiter // subscriptions; nil: none came yet

	mu      sync.Mutex // guards all below
	answers []answer
	bytes   int      // of answers
	handed  outgoing // a frame from the fan-out
	to      *cursor  // whose it is; nil: there is none
	behind  bool     // a cursor is behind
	idle    bool     // the writer waits, and nothing waits for it
	quiet   bool     // nothing was written for Idle
	views   int      // len(cursors)
	parting *parting // close once the answers are sent
	dead    bool     // write nothing more
}

// answer is a message for one socket, or a subscription of which it is yet to
// be made.
type answer struct {
	text    []byte
	request *request
}

// outgoing is a message that is to be written.
type outgoing struct {
	socket.Message
	kind  kind
	since time.Time // of a diff: when what it shows was asked for
}

// parting is how a socket is to be closed.
type parting struct {
	code   websocket.StatusCode
	reason string
}

// Attach starts to write to a viewer's connection. The caller reads it, and
// must call Close when reading has ended.
func (h *Hub) Attach(w Writer) *Socket { return h.attach(w, true) }

// AttachAnchor is Attach for a socket that has no views and is sent no pings.
func (h *Hub) AttachAnchor(w Writer) *Socket { return h.attach(w, false) }

func (h *Hub) attach(w Writer, pings bool) *Socket {
	s := &Socket{hub: h, w: w, pings: pings, wake: make(chan struct{}, 1)}
	s.tasks.Go(s.write)
	return s
}

// Send queues an answer, which the socket then owns. It does not block. A
// socket that does not take its answers is closed with 1008.
func (s *Socket) Send(text []byte) { s.queue(answer{text: text}) }

// ask queues a subscription to be answered.
func (s *Socket) ask(r *request) { s.queue(answer{request: r}) }

func (s *Socket) queue(a answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead || s.parting != nil {
		return
	}
	if len(s.answers) >= maxAnswers || s.bytes+len(a.text) > maxAnswerBytes {
		s.dead = true
		s.answers = nil
		s.tasks.Go(func() { s.w.Close(wire.ClosePolicy, "answers are not read") })
	} else {
		s.answers = append(s.answers, a)
		s.bytes += len(a.text)
	}
	s.poke()
}

// Finish lets the answers that wait go out, and then closes the socket. It
// does not block.
func (s *Socket) Finish(code int, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.parting == nil {
		s.parting = &parting{websocket.StatusCode(code), reason}
	}
	s.poke()
}

// Close leaves all views, closes the connection (after Finish: when that is
// done), and waits for the writer to end.
func (s *Socket) Close() {
	s.hub.release(s)
	s.mu.Lock()
	finishing := s.parting != nil && !s.dead
	s.dead = s.dead || !finishing
	s.poke()
	s.mu.Unlock()
	if !finishing {
		s.w.CloseNow()
	}
	s.tasks.Wait()
}

// poke wakes the writer. The caller holds s.mu.
func (s *Socket) poke() {
	s.idle = false
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// hand gives an idle socket a frame. It reports false if the socket is busy.
func (s *Socket) hand(c *cursor, o outgoing) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.idle {
		return false
	}
	s.handed, s.to = o, c
	s.poke()
	return true
}

// leave marks the socket behind.
func (s *Socket) leave() {
	s.mu.Lock()
	s.behind = true
	s.poke()
	s.mu.Unlock()
}

// withdraw takes back a frame that was handed over to a cursor, unless the
// writer has it. The caller makes good for it.
func (s *Socket) withdraw(c *cursor) {
	s.mu.Lock()
	if s.to == c {
		s.handed, s.to = outgoing{}, nil
	}
	s.mu.Unlock()
}

func (s *Socket) setViews(n int) {
	s.mu.Lock()
	s.views = n
	s.mu.Unlock()
}

// write is the socket's writer.
func (s *Socket) write() {
	timer := time.NewTimer(s.hub.options.Idle)
	defer timer.Stop()
	for {
		o, more := s.next()
		switch more {
		case ended:
			return
		case parted:
			s.w.Close(s.parting.code, s.parting.reason) // does not change any more
			return
		case nothing:
			s.await(timer)
			continue
		}
		if s.w.Write(o.Message) != nil {
			s.lose()
			s.w.CloseNow()
			return
		}
		s.hub.metrics.wrote(&o)
		timer.Reset(s.hub.options.Idle)
	}
}

// await waits until there may be something to write.
func (s *Socket) await(timer *time.Timer) {
	select {
	case <-s.wake:
	case <-timer.C:
		s.mu.Lock()
		s.quiet = true
		s.mu.Unlock()
	}
}

// lose has nothing more written.
func (s *Socket) lose() {
	s.mu.Lock()
	s.dead = true
	s.answers = nil
	s.mu.Unlock()
}

// todo is what a writer has to do.
type todo uint8

// What next may return.
const (
	something todo = iota
	nothing
	parted // all answers are sent: close
	ended
)

// next returns what is to be written now.
func (s *Socket) next() (o outgoing, more todo) {
	for {
		a, behind, more := s.take(&o)
		ok := true
		switch {
		case more != something:
			return o, more
		case a != nil:
			o, ok = s.hub.answer(a)
		case behind:
			o, ok = s.hub.catchUp(s)
		}
		if ok {
			return o, something
		}
	}
}

// take takes what comes first: into o, or as something to be made by the
// hub, whose lock may not be taken here.
func (s *Socket) take(o *outgoing) (r *request, behind bool, more todo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	quiet := s.quiet
	s.quiet = false
	switch {
	case s.dead:
		return nil, false, ended
	case len(s.answers) > 0:
		a := s.answers[0]
		s.answers[0] = answer{}
		if s.answers = s.answers[1:]; len(s.answers) == 0 {
			s.answers = nil
		}
		s.bytes -= len(a.text)
		*o = outgoing{Message: socket.Message{Head: a.text}, kind: answerMessage}
		return a.request, false, something
	case s.parting != nil:
		return nil, false, parted
	case s.to != nil:
		*o = s.handed
		s.handed, s.to = outgoing{}, nil
	case s.behind:
		s.behind = false
		return nil, true, something
	case quiet && s.views == 0 && s.pings:
		*o = outgoing{Message: socket.Message{Body: s.hub.ping}, kind: pingMessage}
	default:
		s.idle = true
		return nil, false, nothing
	}
	return nil, false, something
}
