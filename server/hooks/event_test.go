package hooks

import (
	"testing"

	"onair/presence"
)

// requireValidEvent fails the test unless an event has what its kind must have, and nothing
// of a body can spoil a log.
func requireValidEvent(t *testing.T, body []byte, e *Event) {
	t.Helper()
	bad := ""
	switch e.Kind {
	case Ignored:
		return
	case PushStarted, PushContinued, PushEnded:
		if e.PushID == "" {
			bad = "no media"
		}
	case PublishRequest, PlayRequest:
	case FileRecorded:
		r := &e.Recording
		if r.Code != e.Code || !isLocation(r.Location) || r.ID == "" || min(r.StartedAt, r.EndedAt, r.Duration, r.Size) < 0 || r.Session != (presence.Session{}) {
			bad = "a bad recording"
		}
	case SnapshotTaken:
		if e.SnapshotURL == "" || len(e.SnapshotURL) > maxSnapshotURL || e.SnapshotURL[:8] != "https://" {
			bad = "no picture"
		}
	default:
		bad = "no kind"
	}
	if e.Code == "" || e.Name == "" || len(e.Name) > 30 || len(e.PushID) > 130 || e.StartedAt < 0 {
		bad = "too little, or too much"
	}
	if bad != "" {
		t.Fatalf("%s: %q gives %+v", bad, body, e)
	}
}
