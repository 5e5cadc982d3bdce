package wire

import "cmp"

// Subscribe opens a view, which is a live query. Answer: [Snapshot], or [Diff]
// if the server can resume from Pos.
type Subscribe struct {
	ID      ID
	List    string   // "" means the first configured list
	Tags    []string // entries that have all of these tags; nil means any
	Anchors []string // entries of these user ids; nil means all, empty means none
	Sort    string   // SortViewers, SortLikes or SortStarted; "" means the default
	Limit   int      // 0 means the default; the hub bounds it
	Play    []string // protocols of the play URLs in each entry; nil means none
	Pos     string   // the client's position in this view, or ""
	View    string   // the view's id as the client has it, or ""; the server only compares it
}

// Head implements [Message].
func (m *Subscribe) Head() (string, ID) { return TypeSubscribe, m.ID }

func (m *Subscribe) visitMembers(c *codec) {
	c.visitID(&m.ID)
	c.visitOptionalText("list", &m.List)
	c.visitOptionalTexts("tags", &m.Tags)
	c.visitTextsOrNil("anchors", &m.Anchors)
	c.visitOptionalText("sort", &m.Sort)
	c.visitOptionalInt("limit", &m.Limit)
	if m.Limit < 1 && c.lookupNonNullMember("limit") != nil {
		c.setFault("limit", "must be at least 1")
	}
	c.visitOptionalTexts("play", &m.Play)
	c.visitOptionalText("pos", &m.Pos)
	c.visitOptionalText("view", &m.View)
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
	return badRequestIfFault(m.ID, fault)
}

// Unsubscribe closes a view. Answer: [Unsubscribed].
type Unsubscribe struct {
	ID   ID
	View string
}

// Head implements [Message].
func (m *Unsubscribe) Head() (string, ID) { return TypeUnsubscribe, m.ID }

func (m *Unsubscribe) visitMembers(c *codec) {
	c.visitID(&m.ID)
	c.visitText("view", &m.View)
}

// Validate checks the bounds of the view. Its error is an [*Error].
func (m *Unsubscribe) Validate() error {
	if m.View == "" {
		return badRequestIfFault(m.ID, "view is required")
	}
	return badRequestIfFault(m.ID, checkName("view", m.View, MaxViewBytes))
}

// Unsubscribed answers [Unsubscribe].
type Unsubscribed struct {
	ID   ID
	View string
}

// Head implements [Message].
func (m *Unsubscribed) Head() (string, ID) { return TypeUnsubscribed, m.ID }

func (m *Unsubscribed) visitMembers(c *codec) {
	c.visitID(&m.ID)
	c.visitText("view", &m.View)
}
