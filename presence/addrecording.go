package presence

// AddRecording keeps a recording. One that is known already changes nothing.
type AddRecording struct{ Recording Recording }

func (*AddRecording) kind() kind    { return kindAddRecording }
func (*AddRecording) durable() bool { return true }

func (c *AddRecording) encode(b []byte) []byte { return appendRecording(b, &c.Recording) }
func (c *AddRecording) decode(r *reader)       { c.Recording = r.recording() }

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
	rec := Recording{
		ID: r.string(), Provider: r.string(), Code: r.string(), Anchor: r.string(), Title: r.string(), Cover: r.string(),
		Format: r.string(), Location: r.string(), Session: r.session(), Unlisted: r.bool(),
	}
	for _, v := range [...]*int64{&rec.StartedAt, &rec.EndedAt, &rec.Duration, &rec.Size, &rec.PeakViewers, &rec.Likes} {
		*v = r.int()
	}
	return rec
}
