package wire

// Stop ends the session at once. Answer: [Stopped].
type Stop struct {
	ID ID
}

// Head implements [Message].
func (m *Stop) Head() (string, ID) { return TypeStop, m.ID }

func (m *Stop) visitMembers(c *codec) { c.visitID(&m.ID) }

// Stopped answers [Stop].
type Stopped struct {
	ID      ID
	Summary Summary
}

// Head implements [Message].
func (m *Stopped) Head() (string, ID) { return TypeStopped, m.ID }

func (m *Stopped) visitMembers(c *codec) {
	c.visitID(&m.ID)
	c.visitObject("summary", m.Summary.visitMembers)
}

// Ended reports that the session has ended, other than by a [Stop].
type Ended struct {
	Reason  string   // EndMissedBeats, EndTakenOver, …
	Summary *Summary // nil if unknown
}

// Head implements [Message].
func (m *Ended) Head() (string, ID) { return TypeEnded, "" }

func (m *Ended) visitMembers(c *codec) {
	c.visitText("reason", &m.Reason)
	visitOptionalSummary(c, &m.Summary)
}

// Summary is the result of a session.
type Summary struct {
	DurationMS  int64 `json:"duration_ms"`
	PeakViewers int64 `json:"peak_viewers"`
	Likes       int64 `json:"likes"`
}

func (s *Summary) visitMembers(c *codec) {
	c.visitInt64("duration_ms", &s.DurationMS)
	c.visitInt64("peak_viewers", &s.PeakViewers)
	c.visitInt64("likes", &s.Likes)
}

// visitOptionalSummary visits a summary that is left out if it is nil.
func visitOptionalSummary(c *codec, s **Summary) {
	summary := *s
	if summary == nil {
		if c.isWriting {
			return
		}
		summary = new(Summary)
	}
	if c.visitObject("summary", summary.visitMembers) {
		*s = summary
	}
}
