package presence

import "slices"

// taken is a recording that the registry still knows of: to tell whether one
// comes twice, and to complete it when its session ends. What is older is in the
// archive alone.
type taken struct {
	Recording
	clock int64  // presence time at which it became known, for forgetting
	num   uint64 // of the entry that told of it
}

// How long recordings are remembered, in milliseconds of presence time, and how
// many.
const (
	keepTaken = 24 * 60 * 60 * 1000
	maxTaken  = 100_000
)

// recordings remembers them, oldest first.
type recordings struct {
	first uint64 // the number of list[0]
	list  []*taken
	byID  map[string]*taken
	of    map[Session][]*taken // what list has of each session, in its order
}

func newRecordings() recordings {
	return recordings{byID: map[string]*taken{}, of: map[Session][]*taken{}}
}

func (m *recordings) len() int { return len(m.list) }

// add returns the number that t was given.
func (m *recordings) add(t *taken) uint64 {
	m.list = append(m.list, t)
	m.byID[t.ID] = t
	if t.Session != (Session{}) {
		m.of[t.Session] = append(m.of[t.Session], t)
	}
	return m.first + uint64(len(m.list)) - 1
}

// at returns the one of that number, nil when it is forgotten.
func (m *recordings) at(seq uint64) *taken {
	if seq < m.first || seq-m.first >= uint64(len(m.list)) {
		return nil
	}
	return m.list[seq-m.first]
}

// find returns the number of one that is remembered. The youngest are looked at
// first.
func (m *recordings) find(t *taken) uint64 {
	for i, x := range slices.Backward(m.list) {
		if x == t {
			return m.first + uint64(i)
		}
	}
	return 0
}

// drop forgets the oldest and returns its number.
func (m *recordings) drop() uint64 {
	t := m.list[0]
	delete(m.byID, t.ID)
	if rest := slices.DeleteFunc(m.of[t.Session], func(x *taken) bool { return x == t }); len(rest) > 0 {
		m.of[t.Session] = rest
	} else {
		delete(m.of, t.Session)
	}
	m.list[0] = nil
	m.list = m.list[1:]
	m.first++
	return m.first - 1
}

// addRecording takes a recording in, with what is known of its session.
func (r *Registry) addRecording(c *AddRecording) Result {
	if r.recordings.byID[c.Recording.ID] != nil {
		return Result{Again: true}
	}
	t := &taken{Recording: c.Recording, clock: r.clock, num: r.last.Num}
	r.link(&t.Recording)
	r.mark(recordTaken, r.recordings.add(t))
	rec := t.Recording
	r.tell(r.recordingEffect(RecordingReady, &rec))
	return Result{}
}

// link finds the session that a recording shows: the one of its live code, live
// or ended, with which it shares most time. Of a recording without times it is
// the last one.
func (r *Registry) link(rec *Recording) {
	if rec.Session != (Session{}) { // it was linked before, and is put back
		if e := r.ended.bySession[rec.Session]; e != nil {
			rec.conclude(e)
		}
		return
	}
	best := int64(0)
	var st *Stream
	var ended *Ended
	try := func(s *Stream, e *Ended, until int64) {
		if shared := min(rec.EndedAt, until) - max(rec.StartedAt, s.StartedAt); st == nil && rec.StartedAt == 0 || rec.StartedAt != 0 && shared > best {
			best, st, ended = shared, s, e
		}
	}
	if live := r.Stream(rec.Code); live != nil {
		try(live, nil, max(r.last.Time, rec.EndedAt))
	}
	for _, e := range slices.Backward(r.ended.byCode[rec.Code]) {
		if st != nil && rec.StartedAt == 0 {
			break
		}
		try(e.Stream, e, e.EndedAt)
	}
	if st == nil {
		rec.Unlisted = true // for all that is known
		return
	}
	rec.Session = st.Session
	rec.describe(st)
	if rec.StartedAt == 0 {
		rec.StartedAt = min(st.StartedAt, rec.EndedAt)
		rec.Duration = rec.EndedAt - rec.StartedAt
	}
	if ended != nil {
		rec.conclude(ended)
	}
}

// describe takes over what viewers were shown of a stream.
func (rec *Recording) describe(st *Stream) {
	rec.Anchor, rec.Title, rec.Unlisted = st.Anchor, st.Title, !st.Listed
	if st.Cover != "" {
		rec.Cover = st.Cover
	}
}

// conclude takes over what is known at the end of a session.
func (rec *Recording) conclude(e *Ended) {
	rec.describe(e.Stream)
	rec.PeakViewers, rec.Likes = e.Stream.Peak, e.Stream.Likes
}

// amend completes the recordings of a session that has ended.
func (r *Registry) amend(e *Ended) {
	for _, t := range r.recordings.of[e.Stream.Session] {
		t.Recording.conclude(e)
		if r.dirty != nil {
			r.mark(recordTaken, r.recordings.find(t))
		}
		rec := t.Recording
		r.tell(r.recordingEffect(RecordingAmended, &rec))
	}
}

func (r *Registry) forgetRecordings() {
	m := &r.recordings
	for m.len() > 0 && (m.list[0].clock+keepTaken < r.clock || m.len() > maxTaken) {
		r.mark(recordTaken, m.drop())
	}
}

// Recording returns a recording of the last 24 hours.
func (r *Registry) Recording(id string) (rec Recording, ok bool) {
	t := r.recordings.byID[id]
	if t == nil {
		return rec, false
	}
	return t.Recording, true
}

func appendTaken(b []byte, t *taken) []byte {
	return appendUint(appendInt(appendRecording(b, &t.Recording), t.clock), t.num)
}

func (r *reader) taken() *taken {
	return &taken{Recording: r.recording(), clock: r.int(), num: r.uint()}
}
