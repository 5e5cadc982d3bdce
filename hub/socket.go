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
// does not block: full says that the message was taken but has not all gone,
// and that no other will be taken until the function given to OnWritable is
// called, which must not happen within Write. Its error is why the message
// will not go. Close and CloseNow may block.
type Writer interface {
	OnWritable(f func(error))
	Write(m socket.Message) (full bool, err error)
	Close(code websocket.StatusCode, reason string) error
	CloseNow() error
}

var _ Writer = (*socket.Conn)(nil)

// What may wait for a socket that does not read.
const (
	maxAnswers     = 64
	maxAnswerBytes = 256 << 10
)

// Socket is one connection and what waits for it: first answers, then each of
// its views that is behind. There is no queue of diffs, and no goroutine:
// whoever brings something to be written writes it (see pump), and if the
// connection is full, whoever finds that it no longer is.
type Socket struct {
	// Static after construction.
	hub   *Hub
	w     Writer
	shard *shard
	pings bool

	// Guarded by Hub.mu.
	watches []*watch
	closed  bool
	asked   bool          // a subscription came
	asking  *rate.Limiter // those after the first; nil: none came yet

	// Guarded by Hub.mu and mu: to be read with either.
	cursors []*cursor

	mu      sync.Mutex // guards all below; held across Write, which does not block
	answers []answer
	bytes   int         // of answers
	turn    bool        // somebody pumps, and will look again before giving up
	full    bool        // w takes nothing now
	behind  bool        // a cursor is behind
	written what        // w is full with it
	silence *time.Timer // until a ping: set while there are no views
	parting *parting    // close once the answers are sent
	dead    bool        // write nothing more
}

// answer is a message for one socket, or a subscription of which it is yet to
// be made.
type answer struct {
	kind    kind
	text    []byte
	request *request
}

// what is what a message is, for metrics.
type what struct {
	kind  kind
	since time.Time // of a diff: when what it shows was asked for
}

// outgoing is a message that is to be written.
type outgoing struct {
	socket.Message
	what
}

// parting is how a socket is to be closed.
type parting struct {
	code   websocket.StatusCode
	reason string
	begun  bool
	done   chan struct{} // closed when the connection is, or could not be closed like this
}

// Attach takes a viewer's connection. The caller reads it, and must call Close
// when reading has ended.
func (h *Hub) Attach(w Writer) *Socket { return h.attach(w, true) }

// AttachAnchor is Attach for a socket that has no views and is sent no pings.
func (h *Hub) AttachAnchor(w Writer) *Socket { return h.attach(w, false) }

func (h *Hub) attach(w Writer, pings bool) *Socket {
	s := &Socket{hub: h, w: w, pings: pings, shard: h.anyShard()}
	w.OnWritable(s.ready)
	s.mu.Lock()
	s.listen()
	s.mu.Unlock()
	return s
}

// Send queues an answer, which the socket then owns. It does not block. A
// socket that does not take its answers is closed with 1008.
func (s *Socket) Send(text []byte) {
	s.queue(answer{kind: answerMessage, text: text})
	s.pump()
}

// ask queues a subscription to be answered when the socket is next pumped.
func (s *Socket) ask(r *request) { s.queue(answer{kind: answerMessage, request: r}) }

func (s *Socket) queue(a answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead || s.parting != nil {
		return
	}
	if len(s.answers) >= maxAnswers || s.bytes+len(a.text) > maxAnswerBytes {
		s.parting = &parting{code: wire.ClosePolicy, reason: "answers are not read", done: make(chan struct{})}
		s.part()
		return
	}
	s.answers = append(s.answers, a)
	s.bytes += len(a.text)
}

// Finish lets the answers that wait go out, and then closes the socket. It
// does not block.
func (s *Socket) Finish(code int, reason string) {
	s.mu.Lock()
	if s.parting == nil && !s.dead {
		s.parting = &parting{code: websocket.StatusCode(code), reason: reason, done: make(chan struct{})}
	}
	s.mu.Unlock()
	s.pump()
}

// Close leaves all views and closes the connection; after Finish, when that is
// done.
func (s *Socket) Close() {
	s.hub.release(s)
	s.mu.Lock()
	p := s.parting
	if p == nil {
		s.lose()
	}
	s.mu.Unlock()
	if p != nil {
		<-p.done
	}
	s.w.CloseNow()
}

// part closes the connection with its last words. The caller holds mu.
func (s *Socket) part() {
	p := s.parting
	p.begun = true
	s.lose()
	go func() {
		defer close(p.done)
		s.w.Close(p.code, p.reason)
	}()
}

// lose has nothing more written. The caller holds mu.
func (s *Socket) lose() {
	s.dead = true
	s.answers = nil
	if s.silence != nil {
		s.silence.Stop()
		s.silence = nil
	}
	if s.parting != nil && !s.parting.begun {
		s.parting.begun = true
		close(s.parting.done)
	}
}

// listen has the socket pinged after a silence, while it has no views: those
// have their own. The caller holds mu.
func (s *Socket) listen() {
	switch {
	case !s.pings || s.dead:
	case len(s.cursors) == 0 && s.silence == nil:
		s.silence = time.AfterFunc(s.hub.options.Idle, s.hush)
	case len(s.cursors) > 0 && s.silence != nil:
		s.silence.Stop()
		s.silence = nil
	}
}

// hush ends a silence.
func (s *Socket) hush() {
	s.mu.Lock()
	if s.silence != nil {
		s.silence.Reset(s.hub.options.Idle)
		if !s.full {
			s.answers = append(s.answers, answer{kind: pingMessage, text: ping})
		}
	}
	s.mu.Unlock()
	s.pump()
}

// ping is the message that has nothing to say.
var ping = wire.Append(nil, &wire.Ping{})

// ready is told by the connection that what it was full with has gone.
func (s *Socket) ready(err error) {
	s.mu.Lock()
	s.full = false
	if err != nil {
		s.lose()
	} else {
		s.hub.metrics.wrote(&s.written, time.Now())
	}
	s.written = what{}
	s.mu.Unlock()
	s.pump()
}

// pump writes what waits, in its order, as far as the connection takes it. One
// at a time has the turn; who finds it taken leaves its work to who has it. The
// caller must not hold Hub.mu.
func (s *Socket) pump() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.turn {
		return
	}
	s.turn = true
	for !s.dead && !s.full {
		var o outgoing
		ok := true
		switch {
		case len(s.answers) > 0:
			a := s.pop()
			o = outgoing{Message: socket.Message{Head: a.text}, what: what{kind: a.kind}}
			if a.request != nil {
				o, ok = s.unlocked(func() (outgoing, bool) { return s.hub.answer(a.request) })
			}
		case s.parting != nil:
			s.part()
			ok = false
		case s.behind:
			s.behind = false
			o, ok = s.unlocked(func() (outgoing, bool) { return s.hub.catchUp(s) })
		default:
			s.turn = false
			return
		}
		if ok && !s.dead {
			s.write(&o, time.Time{})
		}
	}
	s.turn = false
}

// unlocked calls f without mu. The caller holds mu, and the turn.
func (s *Socket) unlocked(f func() (outgoing, bool)) (outgoing, bool) {
	s.mu.Unlock()
	defer s.mu.Lock()
	return f()
}

// pop takes the first answer. The caller holds mu.
func (s *Socket) pop() answer {
	a := s.answers[0]
	s.answers[0] = answer{}
	if s.answers = s.answers[1:]; len(s.answers) == 0 {
		s.answers = nil
	}
	s.bytes -= len(a.text)
	return a
}

// write gives the connection a message. now may be zero. The caller holds mu,
// and knows that the socket is neither full nor dead.
func (s *Socket) write(o *outgoing, now time.Time) {
	full, err := s.w.Write(o.Message)
	switch {
	case err != nil:
		s.lose()
		if err != socket.ErrClosed { // else somebody is closing it, and may have a last word
			go s.w.CloseNow()
		}
		return
	case full:
		s.full = true
		s.written = o.what
	default:
		s.hub.metrics.wrote(&o.what, now)
		s.hub.late(&o.what, now)
	}
	if s.silence != nil {
		s.silence.Reset(s.hub.options.Idle)
	}
}

// fate is what became of a frame that was handed to a cursor.
type fate uint8

// What hand may return.
const (
	passed fate = iota // not for this cursor: it stands elsewhere
	given
	left   // the connection was full
	queued // something else goes first
)

// hand writes a frame of a view to a socket that stands at its prev, unless
// something else has to go first: then the cursor is left where it is, and
// brought to its view's last frame when the socket is free.
func (s *Socket) hand(c *cursor, f *flight, now time.Time) fate {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case c.gone || c.asks > 0 || c.pos != f.prev || s.dead:
		return passed // an answer brings it to the view's last frame
	case s.full:
		c.left = f.number
		s.behind = true
		return left
	case s.turn || len(s.answers) > 0 || s.parting != nil:
		c.left = f.number
		s.behind = true
		return queued
	}
	c.pos = f.next
	s.write(&f.outgoing, now)
	return given
}
