package wire

import "cmp"

// Subscribe opens a view: a live query. Answer: [Snapshot], or [Diff] where Pos
// could be resumed.
type Subscribe struct {
	ID      ID
	List    string   // "" is the first configured list
	Tags    []string // entries that have all of them; nil is any
	Anchors []string // of these user ids alone; nil is of all, empty is of nobody
	Sort    string   // SortViewers …; "" is the default
	Limit   int      // 0 is the default; the hub bounds it
	Play    []string // protocols of the URLs that entries carry; nil is none
	Pos     string   // where this client is in this view, or ""
	View    string   // which view it takes this for, or ""; only checked
}

// Head implements [Message].
func (m *Subscribe) Head() (string, ID) { return TypeSubscribe, m.ID }

func (m *Subscribe) appendBody(dst []byte) []byte {
	dst = addTextIf(dst, "list", m.List)
	if len(m.Tags) > 0 {
		dst = addTexts(dst, "tags", m.Tags)
	}
	if m.Anchors != nil {
		dst = addTexts(dst, "anchors", m.Anchors)
	}
	dst = addTextIf(dst, "sort", m.Sort)
	if m.Limit != 0 {
		dst = addInt(dst, "limit", int64(m.Limit))
	}
	if len(m.Play) > 0 {
		dst = addTexts(dst, "play", m.Play)
	}
	dst = addTextIf(dst, "pos", m.Pos)
	return closeObject(addTextIf(dst, "view", m.View))
}

func decodeSubscribe(f *fields) Message {
	m := &Subscribe{
		ID: f.id, List: f.text("list"), Tags: f.someTexts("tags"), Anchors: f.texts("anchors"),
		Sort: f.text("sort"), Limit: int(f.integer("limit")), Play: f.someTexts("play"),
		Pos: f.text("pos"), View: f.text("view"),
	}
	if m.Limit < 1 && f.raw("limit") != nil {
		f.fail("limit", "must be at least 1")
	}
	return m
}

// Validate checks the bounds of the members. Its error is an [*Error].
func (m *Subscribe) Validate() error {
	fault := cmp.Or(
		checkName("list", m.List, MaxListNameBytes),
		checkTags(m.Tags),
		checkTexts("anchors", m.Anchors, MaxAnchors, MaxAnchorBytes),
		checkPlay(m.Play),
		checkName("pos", m.Pos, MaxPosBytes),
		checkName("view", m.View, MaxViewBytes),
	)
	if fault == "" && m.Limit < 0 {
		fault = "limit must be at least 1"
	}
	if fault == "" {
		switch m.Sort {
		case "", SortViewers, SortLikes, SortStarted:
		default:
			fault = "sort must be viewers, likes or started"
		}
	}
	return refusal(m.ID, fault)
}

// Unsubscribe closes a view. Answer: [Unsubscribed].
type Unsubscribe struct {
	ID   ID
	View string
}

// Head implements [Message].
func (m *Unsubscribe) Head() (string, ID) { return TypeUnsubscribe, m.ID }

func (m *Unsubscribe) appendBody(dst []byte) []byte { return closeObject(addText(dst, "view", m.View)) }

// Validate checks the bounds of the view. Its error is an [*Error].
func (m *Unsubscribe) Validate() error {
	if m.View == "" {
		return refusal(m.ID, "view is required")
	}
	return refusal(m.ID, checkName("view", m.View, MaxViewBytes))
}

// Unsubscribed answers [Unsubscribe].
type Unsubscribed struct {
	ID   ID
	View string
}

// Head implements [Message].
func (m *Unsubscribed) Head() (string, ID) { return TypeUnsubscribed, m.ID }

func (m *Unsubscribed) appendBody(dst []byte) []byte {
	return closeObject(addText(dst, "view", m.View))
}
