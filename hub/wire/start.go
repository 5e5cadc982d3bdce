package wire

import (
	"cmp"
	"encoding/json"
)

// Start begins a session. Answer: [Started].
type Start struct {
	ID       ID
	List     string          // "" is the first configured list
	Title    string          // required, but may be empty
	Cover    string          // "" is none
	Tags     []string        // nil is none
	Extra    json.RawMessage // nil is none; compact once decoded
	Unlisted bool            // "listed": false; watchable by code, in no view
	Sources  []string        // the evidence the session lives by; nil is the default
	Key      string          // repeats with the same key start once

	// Only over HTTP, and only by a back end.
	Anchor string // whose session it is
	Suffix string // of the live code, instead of what the template gives
}

// Head implements [Message].
func (m *Start) Head() (string, ID) { return TypeStart, m.ID }

func (m *Start) appendBody(dst []byte) []byte {
	dst = addTextIf(dst, "list", m.List)
	dst = addText(dst, "title", m.Title)
	dst = addTextIf(dst, "cover", m.Cover)
	if len(m.Tags) > 0 {
		dst = addTexts(dst, "tags", m.Tags)
	}
	if len(m.Extra) > 0 {
		dst = addRaw(dst, "extra", m.Extra)
	}
	if m.Unlisted {
		dst = addRaw(dst, "listed", "false")
	}
	if len(m.Sources) > 0 {
		dst = addTexts(dst, "sources", m.Sources)
	}
	dst = addTextIf(dst, "key", m.Key)
	dst = addTextIf(dst, "anchor", m.Anchor)
	return closeObject(addTextIf(dst, "suffix", m.Suffix))
}

func decodeStart(f *fields) Message {
	f.require("title")
	m := &Start{
		ID: f.id, List: f.text("list"), Title: f.text("title"), Cover: f.text("cover"),
		Tags: f.someTexts("tags"), Extra: f.object("extra"), Unlisted: !f.flag("listed", true),
		Sources: f.texts("sources"), Key: f.text("key"),
		Anchor: f.text("anchor"), Suffix: f.text("suffix"),
	}
	if m.Sources != nil && len(m.Sources) == 0 {
		f.fail("sources", "must name at least one source of evidence")
	}
	return m
}

// Validate checks the bounds of the members. Its error is an [*Error].
func (m *Start) Validate() error {
	fault := cmp.Or(
		checkName("list", m.List, MaxListNameBytes),
		checkTitle(m.Title),
		checkTags(m.Tags),
		checkTexts("sources", m.Sources, MaxSources, MaxSourceBytes),
		checkName("key", m.Key, MaxKeyBytes),
		checkName("anchor", m.Anchor, MaxAnchorBytes),
		checkName("suffix", m.Suffix, MaxCodeBytes),
	)
	if fault == "" && m.Cover != "" {
		fault = checkCover(m.Cover)
	}
	if fault == "" && m.Extra != nil {
		fault = checkExtra(m.Extra)
	}
	return refusal(m.ID, fault)
}

// Resume takes a live session over on a new socket. Answer: [Started], or an
// [Error] with CodeSessionGone or CodeUnavailable.
type Resume struct {
	ID      ID
	Session string // 16 bytes in lower-case base32
}

// Head implements [Message].
func (m *Resume) Head() (string, ID) { return TypeResume, m.ID }

func (m *Resume) appendBody(dst []byte) []byte {
	return closeObject(addText(dst, "session", m.Session))
}

// Validate checks the form of the session. Its error is an [*Error].
func (m *Resume) Validate() error { return refusal(m.ID, checkSession(m.Session)) }

// Started answers [Start] and [Resume]. The session is the anchor's secret.
type Started struct {
	ID      ID
	Stream  Entry
	Session string
	Push    PushURLs

	// Only over HTTP, where no [Welcome] says them.
	HeartbeatMS int64
	MissedLimit int
}

// Head implements [Message].
func (m *Started) Head() (string, ID) { return TypeStarted, m.ID }

func (m *Started) appendBody(dst []byte) []byte {
	dst = addEntry(dst, "stream", &m.Stream)
	dst = addText(dst, "session", m.Session)
	dst = addPush(dst, &m.Push)
	if m.HeartbeatMS != 0 {
		dst = addInt(dst, "heartbeat_ms", m.HeartbeatMS)
		dst = addInt(dst, "missed_limit", int64(m.MissedLimit))
	}
	return closeObject(dst)
}

// PushRequest asks for a fresh push URL for the same session. Answer: [Pushed].
type PushRequest struct {
	ID ID
}

// Head implements [Message].
func (m *PushRequest) Head() (string, ID) { return TypePush, m.ID }

func (m *PushRequest) appendBody(dst []byte) []byte { return closeObject(dst) }

// Pushed answers [PushRequest].
type Pushed struct {
	ID   ID
	Push PushURLs
}

// Head implements [Message].
func (m *Pushed) Head() (string, ID) { return TypePush, m.ID }

func (m *Pushed) appendBody(dst []byte) []byte { return closeObject(addPush(dst, &m.Push)) }

// PushURLs is where the anchor's encoder sends the picture.
type PushURLs struct {
	RTMP      string // the whole URL
	Server    string // the same in two, as OBS asks for it
	Key       string
	ExpiresAt int64  // Unix milliseconds; no push can begin after it
	SRT       string // "" where the provider has none
	WebRTC    string // "" where the provider has none
}

// AppendPushURLs appends p as a JSON object.
func AppendPushURLs(dst []byte, p *PushURLs) []byte {
	dst = append(dst, '{')
	dst = addText(dst, "rtmp", p.RTMP)
	dst = addText(dst, "server", p.Server)
	dst = addText(dst, "key", p.Key)
	dst = addInt(dst, "expires_at", p.ExpiresAt)
	dst = addTextIf(dst, "srt", p.SRT)
	dst = addTextIf(dst, "webrtc", p.WebRTC)
	return closeObject(dst)
}

func addPush(dst []byte, p *PushURLs) []byte {
	return append(AppendPushURLs(addName(dst, "push"), p), ',')
}

func (f *fields) push(name string) (p PushURLs) {
	f.require(name)
	f.inside(name, func(f *fields) {
		p = PushURLs{
			RTMP: f.text("rtmp"), Server: f.text("server"), Key: f.text("key"),
			ExpiresAt: f.integer("expires_at"), SRT: f.text("srt"), WebRTC: f.text("webrtc"),
		}
	})
	return p
}
