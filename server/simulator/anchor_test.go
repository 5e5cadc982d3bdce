//go:build !race

package simulator

import (
	"fmt"
	"math/rand/v2"
	"time"

	"onair/hub/wire"
	"onair/server/auth"
)

// simAnchor is an anchor: it goes live and off again, and does meanwhile what
// the protocol asks of its client.
type simAnchor struct {
	w     *world
	name  string
	token string
	rng   *rand.Rand
	http  bool // it holds no socket
	tag   string

	on      int   // host
	line    *line // nil: it has no socket
	tries   int
	keys    int // of its starts
	ids     int64
	session *simSession // nil: it is not live
	live    bool        // as far as it knows

	beats    int64
	waits    time.Time // when the beat was sent that waits for its ack; zero: none
	degraded bool      // it is to look for another node
	left     []*line   // sockets that it has forgotten
}

// How patient anchors are.
const (
	ackWithin   = simInterval / 4
	simPatience = 3 * time.Second
)

func newAnchor(w *world, i int) *simAnchor {
	name := fmt.Sprintf("a%d", i+1)
	a := &simAnchor{w: w, name: name, token: w.token(auth.Anchor, name), rng: w.lot(name), http: i%4 == 3, tag: "b"}
	if i%2 == 0 {
		a.tag = "a"
	}
	a.on = a.rng.IntN(len(w.hosts))
	return a
}

// run is its life.
func (a *simAnchor) run() {
	for a.sleep(between(a.rng, time.Second, 8*time.Second)) {
		if a.w.since() > simActs {
			continue
		}
		a.tries = 0
		if a.start() {
			a.broadcast(time.Now().Add(between(a.rng, 8*time.Second, 60*time.Second)))
		}
	}
	for _, l := range a.left {
		l.close()
	}
	a.drop()
}

// sleep reports false when the run is over.
func (a *simAnchor) sleep(d time.Duration) bool {
	t := time.NewTimer(max(1, d))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-a.w.over:
		return false
	}
}

// elsewhere has it turn to another node.
func (a *simAnchor) elsewhere() { a.on = (a.on + 1 + a.rng.IntN(len(a.w.hosts)-1)) % len(a.w.hosts) }

// backOff is full jitter.
func (a *simAnchor) backOff() time.Duration {
	a.tries++
	return between(a.rng, 0, min(3*time.Second, 250*time.Millisecond<<min(a.tries, 8)))
}

func (a *simAnchor) drop() {
	if a.line != nil {
		a.line.close()
		a.line = nil
	}
}

func (a *simAnchor) id() wire.ID {
	a.ids++
	return wire.IntID(a.ids)
}

// start goes live; the same key goes with every try. It gives up when the run
// is over, or when it must not be.
func (a *simAnchor) start() bool {
	key := fmt.Sprintf("%s-%d", a.name, a.keys)
	for a.w.since() < simActs+simInterval {
		sent := time.Now()
		m, n := a.tryStart(key)
		switch m := m.(type) {
		case *wire.Started:
			a.session = a.w.oracle.started(a.name, m, sent, n)
			a.live, a.tries, a.waits, a.degraded = true, 0, time.Time{}, false
			a.keys++
			return true
		case *wire.Error:
			switch m.Code {
			case wire.CodeSessionGone: // its session has ended before it heard of it
				a.keys++
				a.drop()
				return false
			case wire.CodeBanned: // an earlier try may yet take effect: it keeps the key
				a.drop()
				return false
			}
		}
		a.drop()
		a.elsewhere()
		if !a.sleep(a.backOff()) {
			return false
		}
	}
	return false
}

func (a *simAnchor) tryStart(key string) (wire.Message, *simNode) {
	m := &wire.Start{ID: a.id(), Title: a.name, Tags: []string{a.tag}, Key: key}
	if a.http {
		return a.call("POST", "/v1/streams", "", m)
	}
	if a.line == nil && !a.connect() {
		return nil, nil
	}
	n := a.line.node
	return a.ask(m), n
}

// connect opens a socket on the node that it has in mind.
func (a *simAnchor) connect() bool {
	a.line, _ = a.w.hosts[a.on].open("/v1/anchor", a.token)
	return a.line != nil
}

// ask sends a request and waits for the answer, nil where none comes in time.
func (a *simAnchor) ask(m wire.Message) wire.Message {
	l := a.line
	if !l.tell(m) {
		return nil
	}
	_, want := m.Head()
	late := time.NewTimer(simPatience)
	defer late.Stop()
	for {
		select {
		case got, ok := <-l.inbox:
			if !ok {
				return nil
			}
			if _, id := got.Head(); id == want {
				return got
			}
			if a.hear(got); a.line != l {
				return nil
			}
		case <-late.C:
			return nil
		case <-a.w.over:
			return nil
		}
	}
}

// broadcast is live until a moment, or for as long as it is let.
func (a *simAnchor) broadcast(until time.Time) {
	if a.http {
		a.broadcastHTTP(until)
		return
	}
	beat, update := time.Now(), time.Now().Add(between(a.rng, time.Second, 9*time.Second))
	for a.live {
		now := time.Now()
		switch {
		case a.over():
			return
		case a.line == nil:
			a.resume()
			beat = time.Now()
			continue
		case !now.Before(until) && a.w.since() < simActs:
			a.finish()
			return
		case !a.waits.IsZero() && now.Sub(a.waits) >= ackWithin:
			a.w.note("%s has no ack from %v, and goes elsewhere", a.name, a.line.node)
			a.drop()
			a.elsewhere()
			continue
		case !now.Before(beat):
			a.beat()
			beat = now.Add(simInterval - between(a.rng, 0, 50*time.Millisecond))
			continue
		case !now.Before(update) && a.w.since() < simActs:
			a.update()
			update = time.Now().Add(between(a.rng, 3*time.Second, 9*time.Second))
			continue
		}
		next := beat
		for _, at := range []time.Time{update, until} {
			if at.Before(next) && at.After(now) {
				next = at
			}
		}
		if due := a.waits.Add(ackWithin); !a.waits.IsZero() && due.Before(next) {
			next = due
		}
		a.wait(next)
		if a.degraded && a.live && a.line != nil {
			a.degraded = false
			a.second()
		}
	}
	a.drop()
}

func (a *simAnchor) over() bool {
	select {
	case <-a.w.over:
		return true
	default:
		return false
	}
}

// wait hears what comes, one message, until a moment at the most.
func (a *simAnchor) wait(until time.Time) {
	t := time.NewTimer(max(1, time.Until(until)))
	defer t.Stop()
	select {
	case m, ok := <-a.line.inbox:
		if ok {
			a.hear(m)
			return
		}
		code := a.line.code
		a.w.note("%s: its socket on %v was closed with %d", a.name, a.line.node, code)
		a.drop()
		a.elsewhere()
		if code == wire.CloseDrained {
			a.tries = 0
		}
	case <-t.C:
	case <-a.w.over:
	}
}

// beat sends a beat.
func (a *simAnchor) beat() {
	a.beats++
	if a.waits.IsZero() {
		a.waits = time.Now()
	}
	if !a.line.tell(&wire.Beat{N: a.beats}) {
		a.drop()
		a.elsewhere()
	}
}

// hear takes what the server says.
func (a *simAnchor) hear(m wire.Message) {
	switch m := m.(type) {
	case *wire.Ack:
		if m.N != a.beats || a.waits.IsZero() {
			return
		}
		if m.Pending {
			a.degraded = true
		} else {
			a.w.oracle.acknowledged(a.session, a.waits, a.line.node)
		}
		a.waits, a.tries = time.Time{}, 0
	case *wire.Probe:
		if a.live {
			a.beat()
		}
	case *wire.Notice:
		a.degraded = a.live
	case *wire.Ended:
		if a.live {
			a.live = false
			a.w.oracle.over(a.session, m.Reason, a.line.node)
		}
	case *wire.Error:
		if a.live && m.Code == wire.CodeSessionGone {
			a.live = false
			a.w.oracle.over(a.session, m.Reason, a.line.node)
		}
	}
}

// resume takes the session over on a new socket.
func (a *simAnchor) resume() {
	a.waits = time.Time{}
	if !a.sleep(a.backOff()) {
		return
	}
	if !a.connect() || !a.takeUp() {
		a.drop()
		a.elsewhere()
	}
}

// takeUp resumes on the present socket; it reports whether the socket is good
// for something.
func (a *simAnchor) takeUp() bool {
	sent, n := time.Now(), a.line.node
	switch m := a.ask(&wire.Resume{ID: a.id(), Session: a.session.Session.String()}).(type) {
	case *wire.Started:
		if m.Session != a.session.Session.String() {
			a.w.oracle.violate("wrong-session", "%s resumed another session", a.name)
		}
		a.w.note("%s has resumed on %v", a.name, n)
		a.w.oracle.acknowledged(a.session, sent, n)
		a.waits, a.tries = time.Time{}, 0
		return true
	case *wire.Error:
		a.hear(m)
	}
	return false
}

// second tries another node, and stays where it is unless it is welcome there.
func (a *simAnchor) second() {
	was, at := a.line, a.on
	a.elsewhere()
	if a.line, _ = a.w.hosts[a.on].open("/v1/anchor", a.token); a.line != nil && a.takeUp() {
		was.close()
		return
	}
	a.drop()
	a.line, a.on = was, at
	if !a.live {
		a.drop()
	}
}

// update renames the stream.
func (a *simAnchor) update() {
	title := fmt.Sprintf("%s %d", a.name, a.ids)
	a.w.oracle.named(a.session, title, false, false)
	m := &wire.Update{ID: a.id()}
	m.Title.Set, m.Title.Value = true, title
	if _, ok := a.ask(m).(*wire.Updated); ok {
		a.w.oracle.named(a.session, title, true, false)
	}
}

// finish stops, or just goes away.
func (a *simAnchor) finish() {
	defer func() {
		a.live = false
		a.drop()
	}()
	switch a.rng.IntN(4) {
	case 0:
		a.w.oracle.leaves(a.session, "its app has crashed")
		return
	case 1:
		a.w.oracle.leaves(a.session, "its network is gone")
		a.left = append(a.left, a.line)
		a.line = nil
		return
	}
	a.w.oracle.leaves(a.session, "stop")
	for end := time.Now().Add(20 * time.Second); a.live && time.Now().Before(end) && !a.over(); {
		if a.line != nil {
			if _, ok := a.ask(&wire.Stop{ID: a.id()}).(*wire.Stopped); ok {
				a.w.oracle.halted(a.session)
				return
			}
			if !a.live {
				return
			}
			a.drop()
			a.elsewhere()
		}
		a.resume()
	}
}
