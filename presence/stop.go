package presence

import (
	"cmp"
	"iter"
	"slices"
)

// Stop ends a session.
type Stop struct {
	Session Session
	Reason  EndReason // NotEnded stands for Stopped
	By      string    // user id or name of the client that stops it
	Socket  string    // if set, it must be the attached socket
	Key     string    // chosen by By, may be empty: a repeated stop gets the same result
}

func (*Stop) kind() commandKind { return kindStop }

func (c *Stop) encode(b []byte) []byte {
	b = appendString(append(append(b, c.Session[:]...), byte(c.Reason)), c.By)
	return appendString(appendString(b, c.Socket), c.Key)
}

func (c *Stop) decode(r *decoder) {
	c.Session, c.Reason, c.By = r.sessionID(), EndReason(r.enum(len(endNames))), r.string()
	c.Socket, c.Key = r.string(), r.string()
}

func (c *Stop) apply(r *Registry, _ *nodeState) Result {
	if k, known := r.findClientKey(stopKey, c.By, c.Key); known {
		if e := r.ended.bySession[k.session]; e != nil {
			return Result{Stream: e.Stream, Ended: e, Repeated: true}
		}
		return r.goneResult(k.session)
	}
	i, ok := r.findLiveSession(c.Session, c.Socket)
	if !ok {
		return r.goneResult(c.Session)
	}
	r.addClientKey(stopKey, c.By, c.Key, r.sessions[i].stream.Session)
	a := r.liveResult(i)
	a.Ended = r.endSession(i, cmp.Or(c.Reason, Stopped), c.By)
	return a
}

// endSession removes a live session and remembers its end.
func (r *Registry) endSession(index uint32, reason EndReason, by string) *Ended {
	e := &Ended{Stream: r.sessions[index].stream, Reason: reason, By: by, EndedAt: r.last.Time, Evidence: r.evidenceOf(index)}
	r.moveSessionToEnded(index, e)
	r.addEndEvent(e)
	return e
}

// moveSessionToEnded removes a live session and remembers e as its end.
func (r *Registry) moveSessionToEnded(index uint32, e *Ended) {
	s := r.sessions[index]
	r.changes = append(r.changes, Change{Old: s.stream, Ended: e, Cause: ByEnd, Socket: s.socket})
	r.deleteSession(index)
	r.nodes.dropSessionViewers(index)
	r.sum -= s.digest
	r.markRecordChanged(recordSession, uint64(index))
	r.addEnded(e)
	r.completeRecordings(e)
}

// addEnded adds an end.
func (r *Registry) addEnded(e *Ended) {
	e.endedClock, e.entryNum = r.clock, r.last.Num
	r.markRecordChanged(recordEnded, r.ended.append(e))
}

// removeEnd removes an end that was disproved.
func (r *Registry) removeEnd(e *Ended) {
	num, last := r.ended.remove(e), r.ended.nextNum()
	for ; num <= last && r.changedRecords != nil; num++ {
		r.markRecordChanged(recordEnded, num)
	}
}

// EndReason says why a session ended.
type EndReason uint8

// The reasons for a session's end.
const (
	NotEnded    EndReason = iota
	Stopped               // the anchor or the app's back end stopped it
	MissedBeats           // as many beats were missed as the settings allow
	TakenOver             // the same anchor started another session
	Kicked                // an operator ended it
	Banned                // an operator banned the anchor
	StreamLost            // nothing is pushed any more
)

var endNames = [...]string{
	NotEnded: "", Stopped: "stopped", MissedBeats: "missed_beats", TakenOver: "taken_over",
	Kicked: "kicked", Banned: "banned", StreamLost: "stream_lost",
}

// String is the reason's name in the wire protocol.
func (r EndReason) String() string { return endNames[r] }

// Ended is a session that is over.
type Ended struct {
	Stream     *Stream // its last state
	Reason     EndReason
	By         string // user id or node that ended it, or empty
	EndedAt    int64  // Unix milliseconds, log time
	Evidence   []Evidence
	endedClock int64  // presence time of the end
	entryNum   uint64 // number of the entry that ended it
}

// DurationMS is the length of the session, in milliseconds of log time.
func (e *Ended) DurationMS() int64 { return max(0, e.EndedAt-e.Stream.StartedAt) }

func appendEnded(b []byte, e *Ended) []byte {
	b = appendString(append(appendStream(b, e.Stream), byte(e.Reason)), e.By)
	for _, v := range [...]int64{e.Stream.Viewers, e.EndedAt, e.endedClock} {
		b = appendInt(b, v)
	}
	return appendList(appendUint(b, e.entryNum), e.Evidence, appendEvidence)
}

func (r *decoder) ended() *Ended {
	e := &Ended{Stream: r.stream(), Reason: EndReason(r.enum(len(endNames))), By: r.string()}
	e.Stream.Viewers, e.EndedAt, e.endedClock, e.entryNum = r.int(), r.int(), r.int(), r.uint()
	e.Evidence = readList(r, r.evidence)
	return e
}

// EndedSession returns a session that is over, or nil when it is not remembered.
func (r *Registry) EndedSession(s Session) *Ended { return r.ended.bySession[s] }

// EndedSessionsBackward yields remembered ended sessions with their numbers, the last to
// end first, starting below a number; 0 starts at the last. The registry must
// not change meanwhile.
func (r *Registry) EndedSessionsBackward(belowNum uint64) iter.Seq2[uint64, *Ended] {
	return func(yield func(uint64, *Ended) bool) {
		end := r.ended.nextNum()
		if belowNum != 0 {
			end = min(end, belowNum)
		}
		for num := end; num > r.ended.first; num-- {
			if !yield(num-1, r.ended.list[num-1-r.ended.first]) {
				return
			}
		}
	}
}

// endedSessions remembers the sessions that are over, oldest first, so that a
// client can learn why its session is gone.
type endedSessions struct {
	numberedList[*Ended]
	bySession map[Session]*Ended
	byCode    map[string][]*Ended // in the order of list
}

// append returns the number that e got.
func (m *endedSessions) append(e *Ended) (num uint64) {
	m.bySession[e.Stream.Session] = e
	m.byCode[e.Stream.Code] = append(m.byCode[e.Stream.Code], e)
	return m.push(e)
}

// dropOldest drops the oldest and returns its number.
func (m *endedSessions) dropOldest() (num uint64) {
	e, num := m.removeOldest()
	delete(m.bySession, e.Stream.Session)
	if rest := m.byCode[e.Stream.Code][1:]; len(rest) > 0 {
		m.byCode[e.Stream.Code] = rest
	} else {
		delete(m.byCode, e.Stream.Code)
	}
	return num
}

// remove removes an end, and returns the number that it had. Each later one gets the
// number before its own.
func (m *endedSessions) remove(e *Ended) (num uint64) {
	at := slices.Index(m.list, e)
	m.list = slices.Delete(m.list, at, at+1)
	delete(m.bySession, e.Stream.Session)
	code := e.Stream.Code
	ofCode := slices.Index(m.byCode[code], e)
	if m.byCode[code] = slices.Delete(m.byCode[code], ofCode, ofCode+1); len(m.byCode[code]) == 0 {
		delete(m.byCode, code)
	}
	return m.first + uint64(at)
}
