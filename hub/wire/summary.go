package wire

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
