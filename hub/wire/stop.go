package wire

// Stop ends the session at once. Answer: [Stopped].
type Stop struct {
	ID ID
}

// Head implements [Message].
func (m *Stop) Head() (string, ID) { return TypeStop, m.ID }

func (m *Stop) appendBody(dst []byte) []byte { return closeObject(dst) }

// Stopped answers [Stop].
type Stopped struct {
	ID      ID
	Summary Summary
}

// Head implements [Message].
func (m *Stopped) Head() (string, ID) { return TypeStopped, m.ID }

func (m *Stopped) appendBody(dst []byte) []byte { return closeObject(addSummary(dst, &m.Summary)) }

func decodeStopped(f *fields) Message {
	m := &Stopped{ID: f.id}
	if s := f.summary("summary"); s != nil {
		m.Summary = *s
	}
	return m
}

// Ended says that the session is over, without the anchor having asked for it.
type Ended struct {
	Reason  string   // EndMissedBeats …
	Summary *Summary // nil where it is not known
}

// Head implements [Message].
func (m *Ended) Head() (string, ID) { return TypeEnded, "" }

func (m *Ended) appendBody(dst []byte) []byte {
	return closeObject(addSummary(addText(dst, "reason", m.Reason), m.Summary))
}

// Summary is what a session came to.
type Summary struct {
	DurationMS  int64 `json:"duration_ms"`
	PeakViewers int64 `json:"peak_viewers"`
	Likes       int64 `json:"likes"`
}

// addSummary appends the member unless it is nil.
func addSummary(dst []byte, s *Summary) []byte {
	if s == nil {
		return dst
	}
	dst = append(addName(dst, "summary"), '{')
	dst = addInt(dst, "duration_ms", s.DurationMS)
	dst = addInt(dst, "peak_viewers", s.PeakViewers)
	dst = addInt(dst, "likes", s.Likes)
	return append(closeObject(dst), ',')
}

func (f *fields) summary(name string) *Summary {
	s := new(Summary)
	there := f.inside(name, func(f *fields) {
		*s = Summary{DurationMS: f.integer("duration_ms"), PeakViewers: f.integer("peak_viewers"), Likes: f.integer("likes")}
	})
	if !there {
		return nil
	}
	return s
}
