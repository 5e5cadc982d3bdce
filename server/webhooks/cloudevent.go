package webhooks

import (
	"bytes"
	"encoding/json"
	"net/url"
	"time"

	"onair/presence"
)

// contentType is the content type of one CloudEvent in JSON with all attributes, see
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
const contentType = "application/cloudevents+json"

// envelope is a CloudEvent, see
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
type envelope struct {
	SpecVersion     string `json:"specversion"`
	ID              string `json:"id"`
	Source          string `json:"source"`
	Type            string `json:"type"`
	Subject         string `json:"subject"`
	Time            string `json:"time"`
	DataContentType string `json:"datacontenttype"`
	Data            any    `json:"data"`
}

// eventSource is the source of all events, which must be the same on all nodes.
const eventSource = "/onair"

// timeFormat is RFC 3339 with milliseconds.
const timeFormat = "2006-01-02T15:04:05.000Z07:00"

// encodeCloudEvent returns an event as a CloudEvent in JSON.
func encodeCloudEvent(e *presence.OutboxEvent) []byte {
	var b bytes.Buffer
	w := json.NewEncoder(&b)
	w.SetEscapeHTML(false)
	_ = w.Encode(envelope{ // all members can be encoded
		SpecVersion: "1.0", ID: e.ID.String(), Source: eventSource, Type: e.Kind.String(), Subject: codeOfEvent(e),
		Time: time.UnixMilli(e.At).UTC().Format(timeFormat), DataContentType: "application/json", Data: eventData(e),
	})
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func eventData(e *presence.OutboxEvent) any {
	switch {
	case e.Ended != nil:
		return newEndedData(e.Ended)
	case e.Stream != nil:
		return newStreamData(e.Stream)
	case e.Recording != nil:
		return newRecordingData(e.Recording)
	}
	return nil
}

// streamData is the data of stream events. Unlike the view of viewers, it has the session,
// which the back end needs to end this very session.
type streamData struct {
	Session     string          `json:"session"`
	Code        string          `json:"code"`
	Anchor      string          `json:"anchor"`
	List        string          `json:"list"`
	Listed      bool            `json:"listed"`
	Title       string          `json:"title"`
	Cover       string          `json:"cover,omitempty"`
	Tags        []string        `json:"tags,omitempty"`
	Extra       json.RawMessage `json:"extra,omitempty"`
	State       string          `json:"state"`
	Away        string          `json:"away,omitempty"`
	StartedAt   int64           `json:"started_at"`
	Viewers     int64           `json:"viewers"`
	PeakViewers int64           `json:"peak_viewers"`
	Likes       int64           `json:"likes"`
}

func newStreamData(st *presence.Stream) streamData {
	data := streamData{
		Session: st.Session.String(), Code: st.Code, Anchor: st.Anchor, List: st.List, Listed: st.Listed,
		Title: st.Title, Cover: st.Cover, Tags: st.Tags, State: st.State.String(), Away: st.Away.String(),
		StartedAt: st.StartedAt, Viewers: st.Viewers, PeakViewers: st.PeakViewers, Likes: st.Likes,
	}
	if json.Valid(st.Extra) { // always, if present; invalid JSON would lose the whole event
		data.Extra = st.Extra
	}
	return data
}

// endedData is the data of StreamEnded.
type endedData struct {
	streamData
	EndedAt    int64  `json:"ended_at"`
	DurationMS int64  `json:"duration_ms"`
	Reason     string `json:"reason"`
	By         string `json:"by,omitempty"`
}

func newEndedData(e *presence.Ended) endedData {
	data := endedData{streamData: newStreamData(e.Stream), EndedAt: e.EndedAt, DurationMS: e.DurationMS(), Reason: e.Reason.String(), By: e.By}
	data.State, data.Away = "ended", ""
	return data
}

// recordingData is the data of RecordingReady: the members of GET /v1/recordings and the
// location.
type recordingData struct {
	ID          string `json:"id"`
	Code        string `json:"code"`
	Anchor      string `json:"anchor"`
	Session     string `json:"session,omitempty"`
	Title       string `json:"title,omitempty"`
	StartedAt   int64  `json:"started_at"`
	EndedAt     int64  `json:"ended_at"`
	DurationMS  int64  `json:"duration_ms"`
	Format      string `json:"format"`
	SizeBytes   int64  `json:"size_bytes,omitempty"`
	Cover       string `json:"cover,omitempty"`
	PeakViewers int64  `json:"peak_viewers,omitempty"`
	Likes       int64  `json:"likes,omitempty"`
	URL         string `json:"url,omitempty"`
	Location    string `json:"location,omitempty"`
}

func newRecordingData(rec *presence.Recording) recordingData {
	data := recordingData{
		ID: rec.ID, Code: rec.Code, Anchor: rec.Anchor, Title: rec.Title, StartedAt: rec.StartedAt, EndedAt: rec.EndedAt,
		DurationMS: rec.Duration, Format: rec.Format, SizeBytes: rec.Size, Cover: rec.Cover, PeakViewers: rec.PeakViewers, Likes: rec.Likes,
	}
	if rec.Session != (presence.Session{}) {
		data.Session = rec.Session.String()
	}
	data.URL, data.Location = locationAsURLOrPath(rec.Location)
	return data
}

// locationAsURLOrPath returns a location as a URL or as a path on a media server. It removes
// from a URL what may be a signature or a password.
func locationAsURLOrPath(location string) (strippedURL, path string) {
	u, err := url.Parse(location)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return "", location
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String(), ""
}
