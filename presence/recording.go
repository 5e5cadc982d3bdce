package presence

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
)

// Recording is one file of a recorded broadcast.
type Recording struct {
	ID       string // see RecordingID
	Provider string // tencent, srs, nginx-rtmp, mediamtx or zlm
	Code     string // live code of the push
	Anchor   string // user id; empty while the session is unknown
	Session  Session
	Title    string
	Cover    string

	StartedAt int64 // of the content, Unix milliseconds
	EndedAt   int64
	Duration  int64  // milliseconds
	Format    string // flv, mp4, hls, m4a, aac or fmp4
	Size      int64  // bytes, 0: unknown
	Location  string // as the provider reports it: a URL, or a path on a media server
	Unlisted  bool   // the stream was in no view

	SessionTotals // zero until the session has ended
}

// SessionTotals are the final numbers of a session.
type SessionTotals struct {
	PeakViewers int64
	Likes       int64
}

// RecordingID makes a recording's id from the provider's name of the file, so
// that a file which is reported twice is one recording.
func RecordingID(provider, file string) string {
	sum := sha256.Sum256([]byte(provider + "\x00" + file))
	return hex.EncodeToString(sum[:10])
}

// recordingVersion is the version of Recording.Encode. It rises when
// appendRecording changes.
const recordingVersion = 1

// Encode returns what an archive stores of a recording.
func (rec *Recording) Encode() []byte {
	return appendRecording([]byte{recordingVersion}, rec)
}

// DecodeRecording reads what Encode returns. It returns ErrNewerVersion for the
// encoding of a newer build, and ErrMalformed for other bytes.
func DecodeRecording(b []byte) (Recording, error) {
	r := &decoder{data: b}
	if v := r.byte(); v > recordingVersion {
		return Recording{}, fmt.Errorf("%w: a recording of version %d", ErrNewerVersion, v)
	} else if v == 0 {
		return Recording{}, ErrMalformed
	}
	rec := r.recording()
	if err := r.checkEnd(); err != nil {
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

func (r *decoder) recording() Recording {
	return Recording{
		ID: r.string(), Provider: r.string(), Code: r.string(), Anchor: r.string(), Title: r.string(), Cover: r.string(),
		Format: r.string(), Location: r.string(), Session: r.sessionID(), Unlisted: r.bool(),
		StartedAt: r.int(), EndedAt: r.int(), Duration: r.int(), Size: r.int(), SessionTotals: SessionTotals{r.int(), r.int()},
	}
}

// AddRecording adds a recording. One that is known already changes nothing.
type AddRecording struct{ Recording Recording }

func (*AddRecording) kind() commandKind        { return kindAddRecording }
func (c *AddRecording) encode(b []byte) []byte { return appendRecording(b, &c.Recording) }
func (c *AddRecording) decode(r *decoder)      { c.Recording = r.recording() }

func (c *AddRecording) apply(r *Registry, _ *nodeState) Result {
	if r.recordings.byID[c.Recording.ID] != nil {
		return Result{Repeated: true}
	}
	known := &knownRecording{Recording: c.Recording, learnedAt: r.clock, entryNum: r.last.Num}
	r.linkRecordingToSession(&known.Recording)
	r.markRecordChanged(recordRecording, r.recordings.append(known))
	rec := known.Recording
	r.addEventIfAbsent(r.newRecordingEvent(RecordingReady, &rec))
	return Result{}
}

// linkRecordingToSession finds the session of a recording: the live or ended one of its
// code that overlaps most, or the last one when the recording has no start time.
func (r *Registry) linkRecordingToSession(rec *Recording) {
	if rec.Session != (Session{}) { // it was linked before the log lost it
		if e := r.ended.bySession[rec.Session]; e != nil {
			rec.copyFromEnded(e)
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
		rec.Unlisted = true // nothing shows that it was listed
		return
	}
	rec.Session = st.Session
	rec.copyFromStream(st)
	if rec.StartedAt == 0 {
		rec.StartedAt = min(st.StartedAt, rec.EndedAt)
		rec.Duration = rec.EndedAt - rec.StartedAt
	}
	if ended != nil {
		rec.copyFromEnded(ended)
	}
}

// copyFromStream takes over what viewers saw of a stream.
func (rec *Recording) copyFromStream(st *Stream) {
	rec.Anchor, rec.Title, rec.Unlisted = st.Anchor, st.Title, !st.Listed
	if st.Cover != "" {
		rec.Cover = st.Cover
	}
}

// copyFromEnded takes over the final state of a session.
func (rec *Recording) copyFromEnded(e *Ended) {
	rec.copyFromStream(e.Stream)
	rec.PeakViewers, rec.Likes = e.Stream.PeakViewers, e.Stream.Likes
}

// completeRecordings completes the recordings of a session that has ended.
func (r *Registry) completeRecordings(e *Ended) {
	for _, known := range r.recordings.bySession[e.Stream.Session] {
		known.Recording.copyFromEnded(e)
		if r.changedRecords != nil {
			r.markRecordChanged(recordRecording, r.recordings.numberOf(known))
		}
		rec := known.Recording
		r.addEventIfAbsent(r.newRecordingEvent(RecordingAmended, &rec))
	}
}

// Recording returns a recording of the last 24 hours.
func (r *Registry) Recording(id string) (rec Recording, ok bool) {
	known := r.recordings.byID[id]
	if known == nil {
		return rec, false
	}
	return known.Recording, true
}

// knownRecording is a recording that the registry remembers, to detect repeated
// reports and to complete it when its session ends. Older ones are in the
// archive alone.
type knownRecording struct {
	Recording
	learnedAt int64  // presence time at which it became known
	entryNum  uint64 // number of the entry that added it
}

func appendKnownRecording(b []byte, known *knownRecording) []byte {
	return appendUint(appendInt(appendRecording(b, &known.Recording), known.learnedAt), known.entryNum)
}

func (r *decoder) knownRecording() *knownRecording {
	return &knownRecording{Recording: r.recording(), learnedAt: r.int(), entryNum: r.uint()}
}

// Limits of remembered recordings: presence time in milliseconds, and number.
const (
	recordingRetention = 24 * 60 * 60 * 1000
	maxRecordings      = 100_000
)

// knownRecordings remembers recordings, oldest first.
type knownRecordings struct {
	numberedList[*knownRecording]
	byID      map[string]*knownRecording
	bySession map[Session][]*knownRecording // in the order of list
}

func newKnownRecordings() knownRecordings {
	return knownRecordings{byID: map[string]*knownRecording{}, bySession: map[Session][]*knownRecording{}}
}

// append returns the number that the recording got.
func (m *knownRecordings) append(k *knownRecording) (num uint64) {
	m.byID[k.ID] = k
	if k.Session != (Session{}) {
		m.bySession[k.Session] = append(m.bySession[k.Session], k)
	}
	return m.push(k)
}

// numberOf returns the number of a remembered recording. It searches the youngest
// first.
func (m *knownRecordings) numberOf(k *knownRecording) (num uint64) {
	for i, x := range slices.Backward(m.list) {
		if x == k {
			return m.first + uint64(i)
		}
	}
	return 0
}

// dropOldest drops the oldest and returns its number.
func (m *knownRecordings) dropOldest() (num uint64) {
	k, num := m.removeOldest()
	delete(m.byID, k.ID)
	if rest := slices.DeleteFunc(m.bySession[k.Session], func(x *knownRecording) bool { return x == k }); len(rest) > 0 {
		m.bySession[k.Session] = rest
	} else {
		delete(m.bySession, k.Session)
	}
	return num
}
