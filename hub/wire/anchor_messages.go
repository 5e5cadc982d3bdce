package wire

import (
	"cmp"
	"encoding/json"
)

// Message types of the anchor socket.
const (
	TypeAck      = "ack"
	TypeBeat     = "beat"
	TypeEnded    = "ended"
	TypeNotice   = "notice"
	TypeProbe    = "probe"
	TypePush     = "push"
	TypeResume   = "resume"
	TypeSettings = "settings"
	TypeStart    = "start"
	TypeStarted  = "started"
	TypeStop     = "stop"
	TypeStopped  = "stopped"
	TypeUpdate   = "update"
	TypeUpdated  = "updated"
)

// The messages of the anchor socket, besides those of both sockets:
//
//	Start | Resume             → Started, or Error
//	Beat, once per heartbeat   → Ack; a Probe requests an early Beat
//	Update | PushRequest       → Updated | Pushed
//	Stop                       → Stopped; or the server sends Ended
//
// The server also sends Notice and Settings.
var (
	anchorRequests = []Message{&Start{}, &Resume{}, &Beat{}, &Update{}, &PushRequest{}, &Stop{}}

	anchorServerMessages = []Message{
		&Started{}, &Ack{}, &Probe{}, &Updated{}, &Pushed{}, &Stopped{}, &Ended{}, &Settings{}, &Notice{},
	}
)

// Start begins a session. Answer: [Started].
type Start struct {
	ID       ID
	List     string          // "" means the first configured list
	Title    string          // required, may be empty
	Cover    string          // "" means none
	Tags     []string        // nil means none
	Extra    json.RawMessage // nil means none; decoding compacts it
	Unlisted bool            // "listed": false; viewers can watch by code, but no view contains the stream
	Sources  []string        // the sources of evidence for the session; nil means the default
	Key      string          // idempotency key: starts with the same key start one session

	// Only over HTTP, and only from a back end.
	Anchor string // the user id of the session's anchor
	Suffix string // of the live code, instead of the template's
}

func (m *Start) header() (typ string, idOrNil *ID) { return TypeStart, &m.ID }

func (m *Start) visitMembers(c *codec) {
	c.requireMember("title")
	c.visitTextOmitEmpty("list", &m.List)
	c.visitText("title", &m.Title)
	c.visitTextOmitEmpty("cover", &m.Cover)
	c.visitTextsOmitEmpty("tags", &m.Tags)
	c.visitOptionalRawObject("extra", &m.Extra)
	listed := !m.Unlisted
	c.visitFlag("listed", &listed, true)
	m.Unlisted = !listed
	c.visitTextsOrNil("sources", &m.Sources)
	if m.Sources != nil && len(m.Sources) == 0 {
		c.setFault("sources", "must name at least one source of evidence")
	}
	c.visitTextOmitEmpty("key", &m.Key)
	c.visitTextOmitEmpty("anchor", &m.Anchor)
	c.visitTextOmitEmpty("suffix", &m.Suffix)
}

// Validate checks the bounds of the members. Its error is an [*Error].
func (m *Start) Validate() error {
	fault := cmp.Or(
		checkOptionalName("list", m.List, MaxListNameBytes),
		checkTitle(m.Title),
		checkTags(m.Tags),
		checkTexts("sources", m.Sources, MaxSources, MaxSourceBytes),
		checkOptionalName("key", m.Key, MaxKeyBytes),
		checkOptionalName("anchor", m.Anchor, MaxAnchorBytes),
		checkOptionalName("suffix", m.Suffix, MaxCodeBytes),
	)
	if fault == "" && m.Cover != "" {
		fault = checkGivenCover(m.Cover)
	}
	if fault == "" && m.Extra != nil {
		fault = checkGivenExtra(m.Extra)
	}
	return badRequestIfFault(m.ID, fault)
}

// Resume moves a live session to a new socket. Answer: [Started], or an [Error]
// with CodeSessionGone or CodeUnavailable.
type Resume struct {
	ID      ID
	Session string // 16 bytes in lower-case base32
}

func (m *Resume) header() (typ string, idOrNil *ID) { return TypeResume, &m.ID }

func (m *Resume) visitMembers(c *codec) { c.visitText("session", &m.Session) }

// Validate checks the form of the session. Its error is an [*Error].
func (m *Resume) Validate() error { return badRequestIfFault(m.ID, checkSession(m.Session)) }

// Started answers [Start] and [Resume].
type Started struct {
	ID      ID
	Stream  Entry
	Session string // the anchor's secret
	Push    PushURLs

	// Only over HTTP, which has no [Welcome].
	HeartbeatMS int64
	MissedLimit int
}

func (m *Started) header() (typ string, idOrNil *ID) { return TypeStarted, &m.ID }

func (m *Started) visitMembers(c *codec) {
	c.visitRequiredEntry("stream", &m.Stream)
	c.visitText("session", &m.Session)
	c.requireMember("push")
	c.visitObject("push", m.Push.visitMembers)
	c.visitInt64OmitZero("heartbeat_ms", &m.HeartbeatMS)
	c.visitIntOmitZero("missed_limit", &m.MissedLimit)
}

// Update replaces each member that it names as a whole. Null removes a member;
// a removed title is empty. Answer: [Updated].
type Update struct {
	ID    ID
	Title Opt[string]
	Cover Opt[string]
	Tags  Opt[[]string]
	Extra Opt[json.RawMessage]

	Session string // only over HTTP
}

func (m *Update) header() (typ string, idOrNil *ID) { return TypeUpdate, &m.ID }

func (m *Update) visitMembers(c *codec) {
	visitNullable(c, "title", &m.Title, c.visitText)
	visitNullable(c, "cover", &m.Cover, c.visitText)
	visitNullable(c, "tags", &m.Tags, c.visitTexts)
	visitNullable(c, "extra", &m.Extra, c.visitOptionalRawObject)
	c.visitTextOmitEmpty("session", &m.Session)
}

// Validate checks the bounds of the members. Its error is an [*Error].
func (m *Update) Validate() error {
	fault := cmp.Or(checkTitle(m.Title.Value), checkTags(m.Tags.Value), checkOptionalSession(m.Session))
	if fault == "" && m.Cover.Set && !m.Cover.Null {
		fault = checkGivenCover(m.Cover.Value)
	}
	if fault == "" && m.Extra.Set && !m.Extra.Null {
		fault = checkGivenExtra(m.Extra.Value)
	}
	return badRequestIfFault(m.ID, fault)
}

// Updated answers [Update] with the updated stream.
type Updated struct {
	ID     ID
	Stream Entry
}

func (m *Updated) header() (typ string, idOrNil *ID) { return TypeUpdated, &m.ID }

func (m *Updated) visitMembers(c *codec) { c.visitRequiredEntry("stream", &m.Stream) }

// PushRequest requests a fresh push URL for the same session. Answer: [Pushed].
type PushRequest struct {
	ID ID
}

func (m *PushRequest) header() (typ string, idOrNil *ID) { return TypePush, &m.ID }

func (m *PushRequest) visitMembers(*codec) {}

// Pushed answers [PushRequest].
type Pushed struct {
	ID   ID
	Push PushURLs
}

func (m *Pushed) header() (typ string, idOrNil *ID) { return TypePush, &m.ID }

func (m *Pushed) visitMembers(c *codec) {
	c.requireMember("push")
	c.visitObject("push", m.Push.visitMembers)
}

// Stop ends the session at once. Answer: [Stopped].
type Stop struct {
	ID ID
}

func (m *Stop) header() (typ string, idOrNil *ID) { return TypeStop, &m.ID }

func (m *Stop) visitMembers(*codec) {}

// Stopped answers [Stop].
type Stopped struct {
	ID      ID
	Summary Summary
}

func (m *Stopped) header() (typ string, idOrNil *ID) { return TypeStopped, &m.ID }

func (m *Stopped) visitMembers(c *codec) { c.visitObject("summary", m.Summary.visitMembers) }

// Ended reports that the session has ended, other than by a [Stop].
type Ended struct {
	Reason  string   // EndMissedBeats, EndTakenOver, …
	Summary *Summary // nil if unknown
}

func (m *Ended) header() (typ string, idOrNil *ID) { return TypeEnded, nil }

func (m *Ended) visitMembers(c *codec) {
	c.visitText("reason", &m.Reason)
	visitOptionalSummary(c, &m.Summary)
}

// Beat is the heartbeat of a session. Answer: [Ack].
type Beat struct {
	ID    ID
	N     int64 // the client's own counter
	Stats EncoderStats

	// Only over HTTP.
	Session     string
	HeartbeatMS int64 // the client's current interval; 0: not given
}

// EncoderStats are what the client's encoder reports about itself, for metrics
// and the console. A figure that is not Set is left out.
type EncoderStats struct {
	BitrateKbps Opt[float64]
	FPS         Opt[float64]
	Dropped     Opt[int64] // frames
}

func (m *Beat) header() (typ string, idOrNil *ID) { return TypeBeat, &m.ID }

func (m *Beat) visitMembers(c *codec) {
	c.requireMember("n")
	c.visitInt64("n", &m.N)
	if !c.isWriting || m.Stats != (EncoderStats{}) {
		c.visitObject("stats", m.Stats.visitMembers)
	}
	c.visitTextOmitEmpty("session", &m.Session)
	c.visitInt64OmitZero("heartbeat_ms", &m.HeartbeatMS)
}

func (s *EncoderStats) visitMembers(c *codec) {
	visitOptional(c, "bitrate_kbps", &s.BitrateKbps, c.visitFloat64)
	visitOptional(c, "fps", &s.FPS, c.visitFloat64)
	visitOptional(c, "dropped", &s.Dropped, c.visitInt64)
}

// Validate checks the bounds of the members. Its error is an [*Error].
func (m *Beat) Validate() error {
	return badRequestIfFault(m.ID, cmp.Or(
		checkRange("n", m.N, 0, maxCounter),
		checkOptionalSession(m.Session),
		checkRange("heartbeat_ms", m.HeartbeatMS, 0, maxCounter),
		checkStat("stats.bitrate_kbps", m.Stats.BitrateKbps.Value),
		checkStat("stats.fps", m.Stats.FPS.Value),
		checkRange("stats.dropped", m.Stats.Dropped.Value, 0, maxCounter),
	))
}

// Ack answers [Beat].
type Ack struct {
	ID           ID
	N            int64 // as in the Beat
	ServerTime   int64 // Unix milliseconds
	DeadlineInMS int64 // the session ends after this time without another beat
	Pending      bool  // "held": received, but not in the log yet; the deadline is not guaranteed
	HeartbeatMS  int64 // only over HTTP: the current interval; 0: not given
}

func (m *Ack) header() (typ string, idOrNil *ID) { return TypeAck, &m.ID }

func (m *Ack) visitMembers(c *codec) {
	c.visitInt64("n", &m.N)
	c.visitInt64("server_time", &m.ServerTime)
	c.visitInt64("deadline_in_ms", &m.DeadlineInMS)
	c.visitFlag("held", &m.Pending, false)
	c.visitInt64OmitZero("heartbeat_ms", &m.HeartbeatMS)
}

// AppendAck is [Append] without allocations.
func AppendAck(dst []byte, m *Ack) []byte {
	c := codec{isWriting: true, out: AppendHead(dst, TypeAck, m.ID)}
	m.visitMembers(&c)
	return closeObject(c.out)
}

// Probe requests a [Beat] at once, after the first missed beat. Phones and
// hidden tabs throttle timers, but an incoming message wakes them.
type Probe struct{}

func (m *Probe) header() (typ string, idOrNil *ID) { return TypeProbe, nil }

func (m *Probe) visitMembers(*codec) {}

// Settings changes the interval of beats, from the client's next beat on.
type Settings struct {
	HeartbeatMS int64
}

func (m *Settings) header() (typ string, idOrNil *ID) { return TypeSettings, nil }

func (m *Settings) visitMembers(c *codec) { c.visitInt64("heartbeat_ms", &m.HeartbeatMS) }

// Notice reports a condition of the server to an anchor, such as
// [NoticeDegraded].
type Notice struct {
	Code    string
	Message string // one sentence for a developer
}

func (m *Notice) header() (typ string, idOrNil *ID) { return TypeNotice, nil }

func (m *Notice) visitMembers(c *codec) {
	c.visitText("code", &m.Code)
	c.visitText("message", &m.Message)
}
