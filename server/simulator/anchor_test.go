//go:build !race

package simulator

import (
	"fmt"
	"math/rand/v2"
	"time"

	"onair/hub/wire"
	"onair/server/auth"
)

// simAnchor is an anchor client that follows the protocol. It starts and ends sessions.
type simAnchor struct {
	w        *world
	name     string
	token    string
	rng      *rand.Rand
	overHTTP bool // it has no socket
	tag      string

	hostIndex  int           // of the host that it uses
	socket     *clientSocket // nil: it has no socket
	attempts   int
	startCount int // of its starts
	lastID     int64
	session    *simSession // nil: it is not live
	isLive     bool        // as far as the client knows

	beatCount    int64
	unackedSince time.Time       // when the first unacknowledged beat was sent; zero: all are acknowledged
	mustMove     bool            // it must try another node
	abandoned    []*clientSocket // sockets that it does not read
}

// Time limits of anchors.
const (
	ackTimeout    = simInterval / 4
	answerTimeout = 3 * time.Second
)

func newAnchor(w *world, i int) *simAnchor {
	name := fmt.Sprintf("a%d", i+1)
	a := &simAnchor{w: w, name: name, token: w.token(auth.Anchor, name), rng: w.newRand(name), overHTTP: i%4 == 3, tag: "b"}
	if i%2 == 0 {
		a.tag = "a"
	}
	a.hostIndex = a.rng.IntN(len(w.hosts))
	return a
}

// run starts and ends sessions until the run is over.
func (a *simAnchor) run() {
	for a.sleep(randomDuration(a.rng, time.Second, 8*time.Second)) {
		if a.w.elapsed() > simChangesEnd {
			continue
		}
		a.attempts = 0
		if a.startSession() {
			a.stayLive(time.Now().Add(randomDuration(a.rng, 8*time.Second, 60*time.Second)))
		}
	}
	for _, l := range a.abandoned {
		l.close()
	}
	a.closeSocket()
}

// sleep waits, and reports false when the run is over.
func (a *simAnchor) sleep(d time.Duration) bool {
	t := time.NewTimer(max(1, d))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-a.w.done:
		return false
	}
}

// chooseOtherHost chooses another host at random.
func (a *simAnchor) chooseOtherHost() {
	a.hostIndex = (a.hostIndex + 1 + a.rng.IntN(len(a.w.hosts)-1)) % len(a.w.hosts)
}

// nextBackoff returns the wait before the next attempt, with full jitter.
func (a *simAnchor) nextBackoff() time.Duration {
	a.attempts++
	return randomDuration(a.rng, 0, min(3*time.Second, 250*time.Millisecond<<min(a.attempts, 8)))
}

func (a *simAnchor) closeSocket() {
	if a.socket != nil {
		a.socket.close()
		a.socket = nil
	}
}

func (a *simAnchor) nextID() wire.ID {
	a.lastID++
	return wire.IntID(a.lastID)
}

// startSession starts a session; each attempt has the same key. It reports false when the run
// is over, or when the start is rejected for good.
func (a *simAnchor) startSession() bool {
	key := fmt.Sprintf("%s-%d", a.name, a.startCount)
	for a.w.elapsed() < simChangesEnd+simInterval {
		sent := time.Now()
		m, n := a.sendStart(key)
		switch m := m.(type) {
		case *wire.Started:
			a.session = a.w.oracle.recordStart(a.name, m, sent, n)
			a.isLive, a.attempts, a.unackedSince, a.mustMove = true, 0, time.Time{}, false
			a.startCount++
			return true
		case *wire.Error:
			switch m.Code {
			case wire.CodeSessionGone: // its session ended before the client received the answer
				a.startCount++
				a.closeSocket()
				return false
			case wire.CodeBanned: // an earlier attempt may still succeed, so the key stays the same
				a.closeSocket()
				return false
			}
		}
		a.closeSocket()
		a.chooseOtherHost()
		if !a.sleep(a.nextBackoff()) {
			return false
		}
	}
	return false
}

func (a *simAnchor) sendStart(key string) (wire.Message, *simNode) {
	m := &wire.Start{ID: a.nextID(), Title: a.name, Tags: []string{a.tag}, Key: key}
	if a.overHTTP {
		return a.callHTTP("POST", "/v1/streams", "", m)
	}
	if a.socket == nil && !a.dialSocket() {
		return nil, nil
	}
	n := a.socket.node
	return a.request(m), n
}

// dialSocket opens a socket at the chosen host.
func (a *simAnchor) dialSocket() bool {
	a.socket, _ = a.w.hosts[a.hostIndex].dialSocket("/v1/anchor", a.token)
	return a.socket != nil
}

// request sends a request and returns the answer, or nil if none comes in time.
func (a *simAnchor) request(m wire.Message) wire.Message {
	l := a.socket
	if !l.send(m) {
		return nil
	}
	_, want := wire.Head(m)
	late := time.NewTimer(answerTimeout)
	defer late.Stop()
	for {
		select {
		case got, ok := <-l.inbox:
			if !ok {
				return nil
			}
			if _, id := wire.Head(got); id == want {
				return got
			}
			if a.handleMessage(got); a.socket != l {
				return nil
			}
		case <-late.C:
			return nil
		case <-a.w.done:
			return nil
		}
	}
}

// stayLive beats and updates until a time, or until the session ends.
func (a *simAnchor) stayLive(until time.Time) {
	if a.overHTTP {
		a.stayLiveOverHTTP(until)
		return
	}
	beat, update := time.Now(), time.Now().Add(randomDuration(a.rng, time.Second, 9*time.Second))
	for a.isLive {
		now := time.Now()
		switch {
		case a.isOver():
			return
		case a.socket == nil:
			a.resumeOnNewSocket()
			beat = time.Now()
			continue
		case !now.Before(until) && a.w.elapsed() < simChangesEnd:
			a.endSession()
			return
		case !a.unackedSince.IsZero() && now.Sub(a.unackedSince) >= ackTimeout:
			a.w.traceEvent("%s has no ack from %v, and tries another node", a.name, a.socket.node)
			a.closeSocket()
			a.chooseOtherHost()
			continue
		case !now.Before(beat):
			a.sendBeat()
			beat = now.Add(simInterval - randomDuration(a.rng, 0, 50*time.Millisecond))
			continue
		case !now.Before(update) && a.w.elapsed() < simChangesEnd:
			a.sendUpdate()
			update = time.Now().Add(randomDuration(a.rng, 3*time.Second, 9*time.Second))
			continue
		}
		next := beat
		for _, at := range []time.Time{update, until} {
			if at.Before(next) && at.After(now) {
				next = at
			}
		}
		if due := a.unackedSince.Add(ackTimeout); !a.unackedSince.IsZero() && due.Before(next) {
			next = due
		}
		a.receiveUntil(next)
		if a.mustMove && a.isLive && a.socket != nil {
			a.mustMove = false
			a.moveToOtherNode()
		}
	}
	a.closeSocket()
}

func (a *simAnchor) isOver() bool {
	select {
	case <-a.w.done:
		return true
	default:
		return false
	}
}

// receiveUntil handles one message, or returns at a time.
func (a *simAnchor) receiveUntil(until time.Time) {
	t := time.NewTimer(max(1, time.Until(until)))
	defer t.Stop()
	select {
	case m, ok := <-a.socket.inbox:
		if ok {
			a.handleMessage(m)
			return
		}
		code := a.socket.code
		a.w.traceEvent("%s: its socket on %v was closed with %d", a.name, a.socket.node, code)
		a.closeSocket()
		a.chooseOtherHost()
		if code == wire.CloseDrained {
			a.attempts = 0
		}
	case <-t.C:
	case <-a.w.done:
	}
}

// sendBeat sends a beat.
func (a *simAnchor) sendBeat() {
	a.beatCount++
	if a.unackedSince.IsZero() {
		a.unackedSince = time.Now()
	}
	if !a.socket.send(&wire.Beat{N: a.beatCount}) {
		a.closeSocket()
		a.chooseOtherHost()
	}
}

// handleMessage handles a message.
func (a *simAnchor) handleMessage(m wire.Message) {
	switch m := m.(type) {
	case *wire.Ack:
		if m.N != a.beatCount || a.unackedSince.IsZero() {
			return
		}
		if m.Pending {
			a.mustMove = true
		} else {
			a.w.oracle.recordAck(a.session, a.unackedSince, a.socket.node)
		}
		a.unackedSince, a.attempts = time.Time{}, 0
	case *wire.Probe:
		if a.isLive {
			a.sendBeat()
		}
	case *wire.Notice:
		a.mustMove = a.isLive
	case *wire.Ended:
		if a.isLive {
			a.isLive = false
			a.w.oracle.recordEndReport(a.session, m.Reason, a.socket.node)
		}
	case *wire.Error:
		if a.isLive && m.Code == wire.CodeSessionGone {
			a.isLive = false
			a.w.oracle.recordEndReport(a.session, m.Reason, a.socket.node)
		}
	}
}

// resumeOnNewSocket resumes the session on a new socket.
func (a *simAnchor) resumeOnNewSocket() {
	a.unackedSince = time.Time{}
	if !a.sleep(a.nextBackoff()) {
		return
	}
	if !a.dialSocket() || !a.resumeOnSocket() {
		a.closeSocket()
		a.chooseOtherHost()
	}
}

// resumeOnSocket resumes the session on the present socket. It reports false if that failed.
func (a *simAnchor) resumeOnSocket() bool {
	sent, n := time.Now(), a.socket.node
	switch m := a.request(&wire.Resume{ID: a.nextID(), Session: a.session.Session.String()}).(type) {
	case *wire.Started:
		if m.Session != a.session.Session.String() {
			a.w.oracle.reportFault("wrong-session", "%s resumed another session", a.name)
		}
		a.w.traceEvent("%s has resumed on %v", a.name, n)
		a.w.oracle.recordAck(a.session, sent, n)
		a.unackedSince, a.attempts = time.Time{}, 0
		return true
	case *wire.Error:
		a.handleMessage(m)
	}
	return false
}

// moveToOtherNode tries to resume at another host, and keeps the old socket if that fails.
func (a *simAnchor) moveToOtherNode() {
	oldSocket, oldIndex := a.socket, a.hostIndex
	a.chooseOtherHost()
	if a.socket, _ = a.w.hosts[a.hostIndex].dialSocket("/v1/anchor", a.token); a.socket != nil && a.resumeOnSocket() {
		oldSocket.close()
		return
	}
	a.closeSocket()
	a.socket, a.hostIndex = oldSocket, oldIndex
	if !a.isLive {
		a.closeSocket()
	}
}

// sendUpdate changes the title of the stream.
func (a *simAnchor) sendUpdate() {
	title := fmt.Sprintf("%s %d", a.name, a.lastID)
	a.w.oracle.recordTitle(a.session, title, false, false)
	m := &wire.Update{ID: a.nextID()}
	m.Title.Set, m.Title.Value = true, title
	if _, ok := a.request(m).(*wire.Updated); ok {
		a.w.oracle.recordTitle(a.session, title, true, false)
	}
}

// endSession stops the session, or disappears without a stop.
func (a *simAnchor) endSession() {
	defer func() {
		a.isLive = false
		a.closeSocket()
	}()
	switch a.rng.IntN(4) {
	case 0:
		a.w.oracle.recordLeaving(a.session, "its app has crashed")
		return
	case 1:
		a.w.oracle.recordLeaving(a.session, "its network is gone")
		a.abandoned = append(a.abandoned, a.socket)
		a.socket = nil
		return
	}
	a.w.oracle.recordLeaving(a.session, "stop")
	for end := time.Now().Add(20 * time.Second); a.isLive && time.Now().Before(end) && !a.isOver(); {
		if a.socket != nil {
			if _, ok := a.request(&wire.Stop{ID: a.nextID()}).(*wire.Stopped); ok {
				a.w.oracle.recordStopped(a.session)
				return
			}
			if !a.isLive {
				return
			}
			a.closeSocket()
			a.chooseOtherHost()
		}
		a.resumeOnNewSocket()
	}
}
