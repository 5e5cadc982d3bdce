package presence

import "fmt"

// recordingVersion is that of what Recording.Encode gives. It rises with every
// change of what appendRecording writes.
const recordingVersion = 1

// Encode gives what an archive keeps of a recording.
func (rec *Recording) Encode() []byte {
	return appendRecording([]byte{recordingVersion}, rec)
}

// DecodeRecording reads what Encode gave. It returns ErrRules for what a newer
// version wrote, and ErrMalformed for anything else.
func DecodeRecording(b []byte) (Recording, error) {
	r := &reader{b: b}
	if v := r.byte(); v > recordingVersion {
		return Recording{}, fmt.Errorf("%w: a recording of version %d", ErrRules, v)
	} else if v == 0 {
		return Recording{}, ErrMalformed
	}
	rec := r.recording()
	if err := r.done(); err != nil {
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
		Format: r.string(), Location: r.string(), Session: r.session(), Unlisted: r.bool(),
		StartedAt: r.int(), EndedAt: r.int(), Duration: r.int(), Size: r.int(), PeakViewers: r.int(), Likes: r.int(),
	}
}
