package presence

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
)

// Recording is one file of a recorded broadcast.
type Recording struct {
	ID       string // names it for ever, see RecordingID
	Provider string // whose word it is: tencent, srs, nginx-rtmp, mediamtx, zlm
	Code     string // the live code that was pushed to
	Anchor   string // user id; empty while no session is known
	Session  Session
	Title    string
	Cover    string

	StartedAt int64 // of what it shows, Unix milliseconds
	EndedAt   int64
	Duration  int64  // milliseconds
	Format    string // the file's kind: flv, mp4, hls, m4a, aac, fmp4
	Size      int64  // bytes, 0: not known
	Location  string // where it lies, as the provider says: a URL, or a path on a media server
	Unlisted  bool   // its stream was in no view

	SessionTotals // zero until the session has ended
}

// SessionTotals are what a session came to.
type SessionTotals struct {
	PeakViewers int64
	Likes       int64
}

// RecordingID names a recording by what its provider calls the file, so that
// the same one told twice, or found by other ways too, is one.
func RecordingID(provider, file string) string {
	sum := sha256.Sum256([]byte(provider + "\x00" + file))
	return hex.EncodeToString(sum[:10])
}

// recordingVersion is that of what Recording.Encode gives. It rises with every
// change of what appendRecording writes.
const recordingVersion = 1

// Encode gives what an archive keeps of a recording.
func (rec *Recording) Encode() []byte {
	return appendRecording([]byte{recordingVersion}, rec)
}

// DecodeRecording reads what Encode gave. It returns ErrNewerVersion for what a newer
// version wrote, and ErrMalformed for anything else.
func DecodeRecording(b []byte) (Recording, error) {
	r := &reader{data: b}
	if v := r.byte(); v > recordingVersion {
		return Recording{}, fmt.Errorf("%w: a recording of version %d", ErrNewerVersion, v)
	} else if v == 0 {
		return Recording{}, ErrMalformed
	}
	rec := r.recording()
	if err := r.finalError(); err != nil {
		return Recording{}, err
	}
	return rec, nil
}

func appendRecording(b []byte, rec *Recording) []byte {
	for _, s := range [...]string{rec.ID, rec.Provider, rec.Code, rec.Anchor, rec.Title, rec.Cover, rec.Format, rec.Location} {
		b = appendString(b, s)
	}
	b = appendBool(append(b, rec.Session[:]...), rec.Unlisted)
	for _, v := range [...]int64{rec.StartedAt, rec.EndedAt, rec.Duration, rec.Size, rec.PeakViewers, rec.Likes} {
		b = appendInt(b, v)
	}
	return b
}

func (r *reader) recording() Recording {
	return Recording{
		ID: r.string(), Provider: r.string(), Code: r.string(), Anchor: r.string(), Title: r.string(), Cover: r.string(),
		Format: r.string(), Location: r.string(), Session: r.sessionID(), Unlisted: r.bool(),
		StartedAt: r.int(), EndedAt: r.int(), Duration: r.int(), Size: r.int(), SessionTotals: SessionTotals{r.int(), r.int()},
	}
}

// AddRecording keeps a recording. One that is known already changes nothing.
type AddRecording struct{ Recording Recording }

func (*AddRecording) kind() commandKind { return kindAddRecording }

func (*AddRecording) durable() bool { return true }

func (c *AddRecording) encode(b []byte) []byte { return appendRecording(b, &c.Recording) }

func (c *AddRecording) decode(r *reader) { c.Recording = r.recording() }

// addRecording takes a recording in, with what is known of its session.
func (c *AddRecording) apply(r *Registry, _ *nodeState) Result {
	if r.recordings.byID[c.Recording.ID] != nil {
		return Result{Repeated: true}
	}
	t := &knownRecording{Recording: c.Recording, learnedAt: r.clock, entryNum: r.last.Num}
	r.linkSession(&t.Recording)
	r.markRecord(recordRecording, r.recordings.append(t))
	rec := t.Recording
	r.addEvent(r.recordingEvent(RecordingReady, &rec))
	return Result{}
}

// linkSession finds the session that a recording shows: the one of its live code, live
// or ended, with which it shares most time. Of a recording without times it is
// the last one.
func (r *Registry) linkSession(rec *Recording) {
	if rec.Session != (Session{}) { // it was linked before, and is put back
		if e := r.ended.bySession[rec.Session]; e != nil {
			rec.completeFrom(e)
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
	if live := r.StreamByCode(rec.Code); live != nil {
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
	rec.copyStream(st)
	if rec.StartedAt == 0 {
		rec.StartedAt = min(st.StartedAt, rec.EndedAt)
		rec.Duration = rec.EndedAt - rec.StartedAt
	}
	if ended != nil {
		rec.completeFrom(ended)
	}
}

// copyStream takes over what viewers were shown of a stream.
func (rec *Recording) copyStream(st *Stream) {
	rec.Anchor, rec.Title, rec.Unlisted = st.Anchor, st.Title, !st.Listed
	if st.Cover != "" {
		rec.Cover = st.Cover
	}
}

// completeFrom takes over what is known at the end of a session.
func (rec *Recording) completeFrom(e *Ended) {
	rec.copyStream(e.Stream)
	rec.PeakViewers, rec.Likes = e.Stream.PeakViewers, e.Stream.Likes
}

// completeRecordings completes the recordings of a session that has ended.
func (r *Registry) completeRecordings(e *Ended) {
	for _, t := range r.recordings.bySession[e.Stream.Session] {
		t.Recording.completeFrom(e)
		if r.changedRecords != nil {
			r.markRecord(recordRecording, r.recordings.numberOf(t))
		}
		rec := t.Recording
		r.addEvent(r.recordingEvent(RecordingAmended, &rec))
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

// knownRecording is a recording that the registry still knows of: to tell whether one
// comes twice, and to complete it when its session ends. What is older is in the
// archive alone.
type knownRecording struct {
	Recording
	learnedAt int64  // presence time at which it became known, for forgetting
	entryNum  uint64 // of the entry that told of it
}

func appendKnownRecording(b []byte, t *knownRecording) []byte {
	return appendUint(appendInt(appendRecording(b, &t.Recording), t.learnedAt), t.entryNum)
}

func (r *reader) knownRecording() *knownRecording {
	return &knownRecording{Recording: r.recording(), learnedAt: r.int(), entryNum: r.uint()}
}

// How long recordings are remembered, in milliseconds of presence time, and how
// many.
const (
	recordingRetention = 24 * 60 * 60 * 1000
	maxRecordings      = 100_000
)

// knownRecordings remembers them, oldest first.
type knownRecordings struct {
	first     uint64 // the number of list[0]
	list      []*knownRecording
	byID      map[string]*knownRecording
	bySession map[Session][]*knownRecording // what list has of each session, in its order
}

func newKnownRecordings() knownRecordings {
	return knownRecordings{byID: map[string]*knownRecording{}, bySession: map[Session][]*knownRecording{}}
}

func (m *knownRecordings) len() int { return len(m.list) }

// append returns the number that t was given.
func (m *knownRecordings) append(t *knownRecording) uint64 {
	m.list = append(m.list, t)
	m.byID[t.ID] = t
	if t.Session != (Session{}) {
		m.bySession[t.Session] = append(m.bySession[t.Session], t)
	}
	return m.first + uint64(len(m.list)) - 1
}

// byNumber returns the one of that number, nil when it is forgotten.
func (m *knownRecordings) byNumber(seq uint64) *knownRecording {
	if seq < m.first || seq-m.first >= uint64(len(m.list)) {
		return nil
	}
	return m.list[seq-m.first]
}

// numberOf returns the number of one that is remembered. The youngest are looked at
// first.
func (m *knownRecordings) numberOf(t *knownRecording) uint64 {
	for i, x := range slices.Backward(m.list) {
		if x == t {
			return m.first + uint64(i)
		}
	}
	return 0
}

// dropOldest forgets the oldest and returns its number.
func (m *knownRecordings) dropOldest() uint64 {
	t := m.list[0]
	delete(m.byID, t.ID)
	if rest := slices.DeleteFunc(m.bySession[t.Session], func(x *knownRecording) bool { return x == t }); len(rest) > 0 {
		m.bySession[t.Session] = rest
	} else {
		delete(m.bySession, t.Session)
	}
	m.list[0] = nil
	m.list = m.list[1:]
	m.first++
	return m.first - 1
}

func (r *Registry) dropOldRecordings() {
	m := &r.recordings
	for m.len() > 0 && (m.list[0].learnedAt+recordingRetention < r.clock || m.len() > maxRecordings) {
		r.markRecord(recordRecording, m.dropOldest())
	}
}
