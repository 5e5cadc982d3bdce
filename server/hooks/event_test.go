package hooks

import (
	"testing"

	"onair/presence"
)

// requireValidEvent fails the test if an event lacks what its kind needs, or could
// spoil a log.
func requireValidEvent(t *testing.T, body []byte, e *Event) {
	t.Helper()
	fault := ""
	switch e.Kind {
	case Ignored:
		return
	case PushStarted, PushContinued, PushEnded:
		if e.PushID == "" {
			fault = "no push id"
		}
	case PublishRequest, PlayRequest:
	case FileRecorded:
		r := &e.Recording
		if r.Code != e.Code || !isPrintableLocation(r.Location) || r.ID == "" || min(r.StartedAt, r.EndedAt, r.Duration, r.Size) < 0 || r.Session != (presence.Session{}) {
			fault = "an invalid recording"
		}
	case SnapshotTaken:
		if e.SnapshotURL == "" || len(e.SnapshotURL) > maxSnapshotURL || e.SnapshotURL[:8] != "https://" {
			fault = "no snapshot URL"
		}
	default:
		fault = "no kind"
	}
	if e.Code == "" || e.Name == "" || len(e.Name) > 30 || len(e.PushID) > 130 || e.StartedAt < 0 {
		fault = "a member is missing or too long"
	}
	if fault != "" {
		t.Fatalf("%s: %q gives %+v", fault, body, e)
	}
}
