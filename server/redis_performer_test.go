package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"onair/hub/wire"
	"onair/server/auth"
	"onair/server/nodetest"
)

// performer is an anchor that does all that docs/protocol.md asks of one: it
// beats, answers probes, goes to another node when a beat is not acknowledged
// in a quarter of an interval or when it is told to, resumes there, and repeats
// under its key what was not answered.
type performer struct {
	*crew
	sub      string
	token    string
	restless bool // it starts, updates and stops; otherwise it is live all the while
	silent   bool // it has nothing to say but its beats

	unwanted atomic.Bool  // it may be told that it is banned
	banned   atomic.Bool  // that was acknowledged
	begun    atomic.Int64 // starts that were acknowledged
	moved    atomic.Int64 // times that it went to another node by its own will
	held     atomic.Int64 // beats that were heard without a promise
	notices  atomic.Int64 // times that it was told to look for another node

	mu    sync.Mutex // guards below
	state standing
	where *fleetNode // nil: it has no socket
	diary []string   // of late, for when something goes wrong

	// Owned by run.
	at       *berth // nil: it has no socket
	last     *fleetNode
	session  string // "": it is not live
	holds    bool   // the socket holds the session
	resumed  wire.ID
	resumeAt time.Time // when to ask (again) for the session
	refusals int       // of a resume on this socket
	pending  *act
	rested   time.Time // when to act next
	beaten   time.Time // when the beat was sent that is not acknowledged; zero: all are
	n        int64
	acts     int64
	moving   bool      // it tries another node
	tryAt    time.Time // before which it tries no other again
	doubt    bool      // one that it tried may have given it the session yet
	arrivals chan *berth
}

// berth is a socket of a node. One that was not to be had has an error.
type berth struct {
	*nodetest.Client
	at    *fleetNode
	err   error
	doubt bool // the session may be on it nevertheless
}

// standing is what a performer knows of its session.
type standing struct {
	acked shown
	next  *shown // what a request that is under way leads to
}

func (s standing) allows(got shown) bool { return got == s.acked || s.next != nil && got == *s.next }

// act is a request that is repeated until it is answered.
type act struct {
	id      wire.ID
	message func(wire.ID) wire.Message
	to      shown
	at      time.Time // when to ask (again)
}

func newPerformer(c *crew, sub string, restless bool) *performer {
	return &performer{
		crew: c, sub: sub, token: nodetest.SignToken(c.t, auth.Anchor, sub), restless: restless, arrivals: make(chan *berth, 1),
	}
}

func (p *performer) standing() standing {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

func (p *performer) note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.diary = append(p.diary[max(0, len(p.diary)-30):], fmt.Sprintf("%v ", time.Since(p.began).Round(time.Millisecond))+fmt.Sprintf(format, args...))
}

// wronged is a fault, told with what came before.
func (p *performer) wronged(format string, args ...any) {
	p.mu.Lock()
	before := strings.Join(p.diary, "\n\t")
	p.mu.Unlock()
	p.fault("%s: %s\n\t%s", p.sub, fmt.Sprintf(format, args...), before)
}

// dismiss is the end of one whose ban was acknowledged.
func (p *performer) dismiss() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state = standing{}
	p.banned.Store(true)
}

func (p *performer) run() {
	beat, look := time.NewTicker(beatEvery), time.NewTicker(50*time.Millisecond)
	defer beat.Stop()
	defer look.Stop()
	for p.ctx.Err() == nil && !p.banned.Load() {
		if p.at == nil {
			p.connect()
			continue
		}
		select {
		case <-p.ctx.Done():
		case r, open := <-p.at.Inbox:
			if !open {
				r.Err = errors.New("closed")
			}
			p.hear(r)
		case b := <-p.arrivals:
			p.arrive(b)
		case <-beat.C:
			p.beat()
		case now := <-look.C:
			p.look(now)
		}
	}
	if p.at != nil {
		p.at.Conn.CloseNow()
	}
}

// connect gets a socket on some node.
func (p *performer) connect() {
	if p.moving { // that decides where its session is
		select {
		case b := <-p.arrivals:
			p.arrive(b)
		case <-p.ctx.Done():
		}
		return
	}
	n := p.another(p.last)
	c, _, err := p.dial(n, "/v1/anchor", p.token)
	p.last = n
	if err != nil {
		p.note("no socket at %s: %v", n.name, err)
		jitter(p.ctx, beatEvery/4)
		return
	}
	p.sit(&berth{Client: c, at: n})
	p.holds = false
}

// sit takes a socket into use. What was asked on another is asked again.
func (p *performer) sit(b *berth) {
	p.note("at %s", b.at.name)
	p.at, p.last = b, b.at
	p.place(b.at)
	p.resumed, p.resumeAt, p.refusals, p.beaten = "", time.Time{}, 0, time.Time{}
	if p.pending != nil {
		p.pending.id, p.pending.at = "", time.Time{}
	}
	p.look(time.Now())
}

// leave gives the socket up.
func (p *performer) leave(why string) {
	p.note("left %s: %s", p.at.at.name, why)
	p.at.Conn.CloseNow()
	p.at, p.holds = nil, false
	p.place(nil)
}

func (p *performer) place(at *fleetNode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.where = at
}

func (p *performer) whereabouts() *fleetNode {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.where
}

func (p *performer) tell(m wire.Message) {
	if err := p.at.Send(m); err != nil {
		p.note("%T was not sent: %v", m, err) // the socket's end is read, too
	}
}

// beat is for the session that the socket holds.
func (p *performer) beat() {
	if !p.holds {
		return
	}
	p.n++
	if p.beaten.IsZero() {
		p.beaten = time.Now()
	}
	p.tell(&wire.Beat{ID: p.at.NextID(), N: p.n})
}

// look does what is due.
func (p *performer) look(now time.Time) {
	switch {
	case p.session != "" && !p.holds:
		if now.After(p.resumeAt) {
			p.resumed, p.resumeAt = p.at.NextID(), now.Add(12*time.Second) // an answer is due after ten
			p.tell(&wire.Resume{ID: p.resumed, Session: p.session})
		}
		return
	case p.pending == nil && !p.resting.Load() && now.After(p.rested) && (p.session == "" || !p.silent):
		p.conceive()
	case p.pending == nil && p.session == "" && p.begun.Load() == 0:
		p.conceive() // at rest or not, it is to be live
	}
	if p.pending != nil && now.After(p.pending.at) {
		p.pending.id, p.pending.at = p.at.NextID(), now.Add(12*time.Second)
		p.tell(p.pending.message(p.pending.id))
	}
	if !p.beaten.IsZero() && now.Sub(p.beaten) > beatEvery/4 {
		p.elsewhere("no ack")
	}
}

// conceive thinks of what to do next.
func (p *performer) conceive() {
	p.acts++
	title := fmt.Sprintf("%s %d", p.sub, p.acts)
	a := &act{to: shown{true, title}}
	switch {
	case p.session == "":
		a.message = func(id wire.ID) wire.Message { return &wire.Start{ID: id, Title: title, Key: title} }
	case p.restless && rand.IntN(3) == 0:
		a.to = shown{}
		a.message = func(id wire.ID) wire.Message { return &wire.Stop{ID: id} }
	default:
		a.message = func(id wire.ID) wire.Message { return &wire.Update{ID: id, Title: wire.Some(title)} }
	}
	p.pending = a
	p.mu.Lock()
	p.state.next = &a.to
	p.mu.Unlock()
}

// done is when the answer to an act has come.
func (p *performer) done() {
	p.mu.Lock()
	p.state = standing{acked: p.pending.to}
	p.mu.Unlock()
	pause := 200 * time.Millisecond
	if !p.restless {
		pause = time.Second
	}
	p.pending, p.rested = nil, time.Now().Add(pause/2+rand.N(pause))
}

// hear takes what the server says.
func (p *performer) hear(r nodetest.Received) {
	if r.Err != nil {
		p.closed(r.Err)
		return
	}
	_, id := r.Head()
	mine := id != "" && p.pending != nil && id == p.pending.id
	switch m := r.Message.(type) {
	case *wire.Ack:
		if m.N == p.n {
			p.beaten = time.Time{}
		}
		if m.Pending {
			p.held.Add(1)
		}
	case *wire.Probe:
		p.note("probed")
		p.beat()
	case *wire.Notice:
		p.notices.Add(1)
		p.elsewhere(m.Code)
	case *wire.Drain:
		p.elsewhere("drain")
	case *wire.Ended:
		p.ended(m.Reason)
	case *wire.Started:
		if id == p.resumed || mine {
			p.started(m, mine)
		}
	case *wire.Updated:
		if mine {
			p.done()
		}
	case *wire.Stopped:
		if mine {
			p.stopped()
		}
	case *wire.Error:
		p.refused(m, mine)
	}
}

func (p *performer) started(m *wire.Started, asStart bool) {
	p.session, p.holds, p.resumed, p.doubt = m.Session, true, "", false
	if asStart {
		p.done()
		p.begun.Add(1)
	}
	p.note("holds it at %s, title %q", p.at.at.name, m.Stream.Title)
	p.beat()
}

func (p *performer) stopped() {
	p.done()
	p.session, p.holds, p.beaten = "", false, time.Time{}
}

// closed is the end of the socket.
func (p *performer) closed(err error) {
	switch code := websocket.CloseStatus(err); {
	case code == wire.CloseRemoved && p.unwanted.Load():
	case code == wire.CloseTakenOver && (p.moving || p.doubt): // by itself
	case code == wire.CloseTakenOver, code == wire.CloseRemoved, code == wire.CloseMissedBeats, code == wire.CloseRateLimited:
		p.wronged("closed with %d", code)
	}
	p.leave(err.Error())
}

// ended is what nobody is told who beats.
func (p *performer) ended(reason string) {
	if p.unwanted.Load() && reason == wire.EndBanned {
		p.session, p.holds, p.pending = "", false, nil
		return
	}
	if reason == wire.EndStopped && p.pending != nil && p.pending.to == (shown{}) {
		p.stopped() // what was answered with unknown has taken effect
		return
	}
	p.wronged("ended: %s", reason)
	p.session, p.holds = "", false
	p.mu.Lock()
	p.state.acked = shown{}
	p.mu.Unlock()
}

// refused takes an error.
func (p *performer) refused(m *wire.Error, mine bool) {
	p.note("%s %s (act: %v)", m.Code, m.Reason, mine)
	again := time.Now().Add(100*time.Millisecond + rand.N(200*time.Millisecond))
	switch {
	case m.Code == wire.CodeBanned && p.unwanted.Load():
		p.session, p.holds, p.pending = "", false, nil
	case m.Code == wire.CodeUnavailable || m.Code == wire.CodeUnknown:
		if mine {
			p.pending.at = again
			if p.session == "" {
				p.leave("no start") // it has nothing to lose here
			}
		} else if m.ID == p.resumed {
			p.resumeAt = again
			if p.refusals++; p.refusals%4 == 0 {
				p.leave("no resume")
			}
		}
	case m.Code == wire.CodeSessionGone:
		p.gone(m, mine)
	default:
		p.wronged("refused: %v", m)
		p.leave("refused")
	}
}

// gone is told of a session that is over, or that is not this socket's.
func (p *performer) gone(m *wire.Error, mine bool) {
	stops := p.pending != nil && p.pending.to == shown{}
	switch {
	case stops && m.Reason == wire.EndStopped:
		p.stopped()
	case mine && p.session == "": // of a start whose answer was lost: it may have had no beat since
		p.pending = nil
		p.mu.Lock()
		p.state.next = nil
		p.mu.Unlock()
	case m.Reason == "" && m.ID != p.resumed:
		p.holds = false // to be resumed
		p.beaten = time.Time{}
		if p.pending != nil {
			p.pending.at = time.Time{}
		}
	case m.Reason == "":
		p.ended("the log has lost it")
	default:
		p.ended(m.Reason)
	}
}

// elsewhere tries another node, while this one is still beaten to.
func (p *performer) elsewhere(why string) {
	if p.moving || !p.holds || time.Now().Before(p.tryAt) {
		return
	}
	p.note("tries another node: %s", why)
	p.moving = true
	from, session := p.at.at, p.session
	p.tasks.Go(func() { p.arrivals <- p.try(p.another(from), session) })
}

// try resumes a session at a node.
func (p *performer) try(n *fleetNode, session string) *berth {
	c, _, err := p.dial(n, "/v1/anchor", p.token)
	if err != nil {
		return &berth{at: n, err: err}
	}
	answer, err := c.Request(&wire.Resume{ID: c.NextID(), Session: session})
	b := &berth{Client: c, at: n, err: err, doubt: err != nil}
	if _, ok := answer.(*wire.Started); !ok && err == nil {
		e, _ := answer.(*wire.Error)
		b.err, b.doubt = fmt.Errorf("%T %v", answer, e), e != nil && e.Code == wire.CodeUnknown
	}
	if b.err != nil {
		c.Conn.CloseNow()
	}
	return b
}

// arrive goes over to the node that was tried, if it gave the session.
func (p *performer) arrive(b *berth) {
	p.moving, p.tryAt = false, time.Now().Add(beatEvery)
	if b.err != nil {
		p.note("%s did not have it: %v", b.at.name, b.err)
		p.doubt = p.doubt || b.doubt
		return
	}
	if p.session == "" { // stopped meanwhile
		b.Conn.CloseNow()
		return
	}
	p.moved.Add(1)
	if p.at != nil {
		p.at.Conn.CloseNow()
	}
	p.holds, p.doubt = true, false
	p.sit(b)
	p.beat()
}
