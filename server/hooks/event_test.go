package hooks

import (
	"testing"

	"onair/presence"
)

// sound fails the test unless an event has what its kind must have, and nothing
// of a body can spoil a log.
func sound(t *testing.T, body []byte, e *Event) {
	t.Helper()
	bad := ""
	switch e.Kind {
	case Nothing:
		return
	case Begun, Going, Done:
		if e.Media == "" {
			bad = "no media"
		}
	case Publish, Play:
	case Recorded:
		r := &e.Recording
		if r.Code != e.Code || !isPlace(r.Location) || r.ID == "" || min(r.StartedAt, r.EndedAt, r.Duration, r.Size) < 0 || r.Session != (presence.Session{}) {
			bad = "a bad recording"
		}
	case Pictured:
		if e.Picture == "" || len(e.Picture) > maxPicture || e.Picture[:8] != "https://" {
			bad = "no picture"
		}
	default:
		bad = "no kind"
	}
	if e.Code == "" || e.Name == "" || len(e.Name) > 30 || len(e.Media) > 130 || e.Since < 0 {
		bad = "too little, or too much"
	}
	if bad != "" {
		t.Fatalf("%s: %q gives %+v", bad, body, e)
	}
}
