package hooks

import (
	"cmp"
	"crypto/md5" // required by the provider
	"crypto/subtle"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"time"

	"onair/presence"
)

// ParseTencent parses a callback of Tencent Cloud Live: begin (event_type 1) and end
// (0) of a push, recording (100), snapshot (200). It ignores all others. The body is
// JSON; numbers are numbers or strings. The common fields are in
// https://cloud.tencent.com/document/product/267/32744, those of the events in
// .../47025, .../47026 and .../47028.
//
// With a keyOrEmpty, the callback must be signed with it: sign is the MD5 of the keyOrEmpty and t,
// the expiry in Unix seconds. The signature covers only the time, so a captured
// callback allows forged ones until t. A repeated callback may arrive after its t.
//
// It returns ErrMalformed, ErrSignatureInvalid or ErrSignatureExpired.
//
// The sequence is unique to one push. The time of a begin is that of the message,
// within a second of the push. The field app is the push domain; appname is the app,
// which old versions omit. The cloud verifies the signatures of pushes itself.
func ParseTencent(body []byte, keyOrEmpty string, now time.Time) (Event, error) {
	o, err := parseStrictJSONObject(body)
	if err != nil {
		return Event{}, err
	}
	if keyOrEmpty != "" {
		if err := verifyTencentSignature(o, keyOrEmpty, now); err != nil {
			return Event{}, err
		}
	}
	eventType, ok := o.wholeNumber("event_type")
	if !ok {
		return Event{}, ErrMalformed
	}
	e := Event{App: o.stringOrNumber("appname"), Code: cmp.Or(o.stringOrNumber("stream_id"), o.stringOrNumber("channel_id"))} // channel_id is the old name
	switch eventType {
	case 0:
		e.Kind, e.Name = PushEnded, "push_ended"
	case 1:
		e.Kind, e.Name = PushStarted, "push_begun"
	case 100:
		e.Kind, e.Name = FileRecorded, "recorded"
	case 200:
		e.Kind, e.Name = SnapshotTaken, "pictured"
	case 332: // the state of a recording task; event 100 reports the file
		return Event{Kind: Ignored, Name: "recording_state"}, nil
	default:
		return Event{Kind: Ignored, Name: "other"}, nil
	}
	if e.Code == "" {
		return Event{}, ErrMalformed
	}
	switch e.Kind {
	case PushEnded, PushStarted:
		if e.PushID, e.UniquePushID = o.stringOrNumber("sequence"), true; !isPrintableID(e.PushID) {
			return Event{}, ErrMalformed
		}
		if seconds, ok := o.wholeNumber("event_time"); ok && e.Kind == PushStarted {
			e.StartedAt = seconds * 1000
		}
	case FileRecorded:
		e.Recording, err = decodeTencentRecording(o, e.Code)
	case SnapshotTaken:
		if e.SnapshotURL = httpsSnapshotURL(o.stringOrNumber("pic_full_url")); e.SnapshotURL == "" {
			return Event{Kind: Ignored, Name: e.Name}, nil
		}
	}
	return e, err
}

// verifyTencentSignature checks sign and t. The digest covers t as it is written.
func verifyTencentSignature(o jsonObject, key string, now time.Time) error {
	sum := md5.Sum([]byte(key + o.stringOrNumber("t")))
	want := hex.EncodeToString(sum[:])
	if subtle.ConstantTimeCompare([]byte(want), []byte(strings.ToLower(o.stringOrNumber("sign")))) == 0 {
		return ErrSignatureInvalid
	}
	if expiry, ok := o.wholeNumber("t"); !ok {
		return ErrMalformed
	} else if now.Unix() >= expiry {
		return ErrSignatureExpired
	}
	return nil
}

// decodeTencentRecording reads a recording. Its content ends at end_time and lasts duration;
// start_time is the time of the request to record.
func decodeTencentRecording(o jsonObject, code string) (presence.Recording, error) {
	location := o.stringOrNumber("video_url")
	u, err := url.Parse(location)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || !isPrintableLocation(location) {
		return presence.Recording{}, ErrMalformed
	}
	name := location // files outside of VOD have no file_id
	for _, id := range []string{o.stringOrNumber("file_id"), o.stringOrNumber("record_file_id")} {
		if isPrintableID(id) {
			name = id
			break
		}
	}
	rec := newRecording(ProviderTencent, code, name, location)
	rec.Format = knownFormatOfFile(u.Path)
	if format := strings.ToLower(o.stringOrNumber("file_format")); slices.Contains([]string{"flv", "hls", "mp4", "aac", "m4a", "fmp4"}, format) {
		rec.Format = format
	}
	rec.StartedAt, rec.EndedAt = o.secondsAsMillis("start_time"), o.secondsAsMillis("end_time")
	rec.Duration = o.secondsAsMillis("duration")
	if rec.Duration > 0 && rec.Duration < rec.EndedAt {
		rec.StartedAt = rec.EndedAt - rec.Duration
	}
	rec.Size, _ = o.wholeNumber("file_size")
	return rec, nil
}

// maxSnapshotURL bounds the URL of a cover, in bytes.
const maxSnapshotURL = 1024

// httpsSnapshotURL returns the URL of a snapshot with https, or "" if there is none: a
// page over https shows no other images. The cloud reports http, and its storage
// serves the same over https.
func httpsSnapshotURL(link string) string {
	u, err := url.Parse(link)
	if err != nil || u.Host == "" || u.User != nil || !isPrintableLocation(link) {
		return ""
	}
	if u.Scheme == "http" && u.Port() == "" && strings.HasSuffix(strings.ToLower(u.Host), ".myqcloud.com") {
		u.Scheme = "https"
	}
	if link = u.String(); u.Scheme != "https" || len(link) > maxSnapshotURL {
		return ""
	}
	return link
}
