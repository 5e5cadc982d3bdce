package hooks

import (
	"crypto/md5" // the provider's choice, not ours
	"crypto/subtle"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"time"

	"onair/presence"
)

// ParseTencent reads a callback of Tencent Cloud Live, whose body is JSON: of the
// begin (event_type 1) and the end (0) of a push, a recorded file (100), a
// snapshot (200). All others are Nothing. See
// https://cloud.tencent.com/document/product/267/32744 for what all have,
// .../47025, .../47026 and .../47028 for the fields of each.
//
// Where there is a key, the callback must be signed with it: sign is the MD5 of
// the key and t, when the signature expires, in Unix seconds. That covers
// nothing but the time: whoever has seen one callback can make others until
// then. Numbers come as numbers or as strings.
//
// It returns ErrMalformed, ErrSignatureInvalid or ErrSignatureExpired. A repeated callback may come
// after its t, and is then refused.
//
// The sequence names one push for ever. The time of a begin is that of the
// message, within a second of the push's. What the cloud calls app is the push
// domain; appname is the app, which old versions leave out. That they let in was
// the cloud's to decide: it verifies signatures itself.
func ParseTencent(body []byte, key string, now time.Time) (Event, error) {
	m, err := parseJSONObject(body)
	if err != nil {
		return Event{}, err
	}
	if key != "" {
		if err := verifyTencentSignature(m, key, now); err != nil {
			return Event{}, err
		}
	}
	event, ok := m.number("event_type")
	if !ok {
		return Event{}, ErrMalformed
	}
	e := Event{App: m.text("appname"), Code: m.text("stream_id")}
	if e.Code == "" {
		e.Code = m.text("channel_id") // the same, by its old name
	}
	switch event {
	case 0:
		e.Kind, e.Name = PushEnded, "push_ended"
	case 1:
		e.Kind, e.Name = PushStarted, "push_begun"
	case 100:
		e.Kind, e.Name = FileRecorded, "recorded"
	case 200:
		e.Kind, e.Name = SnapshotTaken, "pictured"
	case 332: // what a recording task does; the file is told by 100
		return Event{Kind: Ignored, Name: "recording_state"}, nil
	default:
		return Event{Kind: Ignored, Name: "other"}, nil
	}
	if e.Code == "" {
		return Event{}, ErrMalformed
	}
	switch e.Kind {
	case PushEnded, PushStarted:
		if e.PushID, e.UniquePushID = m.text("sequence"), true; !isID(e.PushID) {
			return Event{}, ErrMalformed
		}
		if at, ok := m.number("event_time"); ok && e.Kind == PushStarted {
			e.StartedAt = at * 1000
		}
	case FileRecorded:
		e.Recording, err = tencentRecording(m, e.Code)
	case SnapshotTaken:
		if e.SnapshotURL = snapshotURL(m.text("pic_full_url")); e.SnapshotURL == "" {
			return Event{Kind: Ignored, Name: e.Name}, nil
		}
	}
	return e, err
}

// verifyTencentSignature checks sign and t. The digest is over t as it is written.
func verifyTencentSignature(m jsonObject, key string, now time.Time) error {
	sum := md5.Sum([]byte(key + m.text("t")))
	want := hex.EncodeToString(sum[:])
	if subtle.ConstantTimeCompare([]byte(want), []byte(strings.ToLower(m.text("sign")))) == 0 {
		return ErrSignatureInvalid
	}
	if t, ok := m.number("t"); !ok {
		return ErrMalformed
	} else if now.Unix() >= t {
		return ErrSignatureExpired
	}
	return nil
}

// tencentRecording reads a recorded file. What it shows ends at end_time and is
// duration long; start_time is when the recording was asked for.
func tencentRecording(m jsonObject, code string) (presence.Recording, error) {
	location := m.text("video_url")
	u, err := url.Parse(location)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || !isLocation(location) {
		return presence.Recording{}, ErrMalformed
	}
	// Files that go elsewhere than to VOD have no file_id.
	name := location
	for _, id := range []string{m.text("file_id"), m.text("record_file_id")} {
		if isID(id) {
			name = id
			break
		}
	}
	rec := newRecording(ProviderTencent, code, name, location)
	rec.Format = formatByExtension(u.Path)
	if format := strings.ToLower(m.text("file_format")); slices.Contains([]string{"flv", "hls", "mp4", "aac", "m4a", "fmp4"}, format) {
		rec.Format = format
	}
	rec.StartedAt, rec.EndedAt = m.secondsAsMillis("start_time"), m.secondsAsMillis("end_time")
	rec.Duration = m.secondsAsMillis("duration")
	if rec.Duration > 0 && rec.Duration < rec.EndedAt {
		rec.StartedAt = rec.EndedAt - rec.Duration
	}
	rec.Size, _ = m.number("file_size")
	return rec, nil
}

// maxSnapshotURL is the longest URL of a cover, in bytes.
const maxSnapshotURL = 1024

// snapshotURL is the URL of a snapshot as a cover, "" when it can be none: a
// page that came over https shows no other pictures. The cloud writes http, and
// its storage serves the same over https.
func snapshotURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || !isLocation(text) {
		return ""
	}
	if u.Scheme == "http" && u.Port() == "" && strings.HasSuffix(strings.ToLower(u.Host), ".myqcloud.com") {
		u.Scheme = "https"
	}
	if text = u.String(); u.Scheme != "https" || len(text) > maxSnapshotURL {
		return ""
	}
	return text
}
