package wire

import (
	"cmp"
	"encoding/json"
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

// Head implements [Message].
func (m *Start) Head() (string, ID) { return TypeStart, m.ID }

func (m *Start) visitMembers(c *codec) {
	c.visitID(&m.ID)
	c.requireMember("title")
	c.visitOptionalText("list", &m.List)
	c.visitText("title", &m.Title)
	c.visitOptionalText("cover", &m.Cover)
	c.visitOptionalTexts("tags", &m.Tags)
	if !c.isWriting || len(m.Extra) > 0 {
		c.visitRawObject("extra", &m.Extra)
	}
	listed := !m.Unlisted
	c.visitFlag("listed", &listed, true)
	m.Unlisted = !listed
	c.visitTextsOrNil("sources", &m.Sources)
	if m.Sources != nil && len(m.Sources) == 0 {
		c.setFault("sources", "must name at least one source of evidence")
	}
	c.visitOptionalText("key", &m.Key)
	c.visitOptionalText("anchor", &m.Anchor)
	c.visitOptionalText("suffix", &m.Suffix)
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
	return badRequestIfFault(m.ID, fault)
}

// Resume moves a live session to a new socket. Answer: [Started], or an [Error]
// with CodeSessionGone or CodeUnavailable.
type Resume struct {
	ID      ID
	Session string // 16 bytes in lower-case base32
}

// Head implements [Message].
func (m *Resume) Head() (string, ID) { return TypeResume, m.ID }

func (m *Resume) visitMembers(c *codec) {
	c.visitID(&m.ID)
	c.visitText("session", &m.Session)
}

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

// Head implements [Message].
func (m *Started) Head() (string, ID) { return TypeStarted, m.ID }

func (m *Started) visitMembers(c *codec) {
	c.visitID(&m.ID)
	c.visitEntry("stream", &m.Stream)
	c.visitText("session", &m.Session)
	c.requireMember("push")
	c.visitObject("push", m.Push.visitMembers)
	c.visitOptionalInt64("heartbeat_ms", &m.HeartbeatMS)
	c.visitOptionalInt("missed_limit", &m.MissedLimit)
}
