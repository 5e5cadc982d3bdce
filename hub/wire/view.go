package wire

// Snapshot is a whole view.
type Snapshot struct {
	ID      ID
	View    string
	Pos     string
	Total   int // entries that match, without the limit
	Streams []Entry
}

// Head implements [Message].
func (m *Snapshot) Head() (string, ID) { return TypeSnapshot, m.ID }

func (m *Snapshot) visitMembers(c *codec) {
	c.visitID(&m.ID)
	c.visitText("view", &m.View)
	c.visitText("pos", &m.Pos)
	c.visitInt("total", &m.Total)
	visitArray(c, "streams", &m.Streams, AppendEntry, parseEntry)
}

// Diff leads a view from one position to another. An empty diff only confirms
// the view.
type Diff struct {
	ID       ID // only in the answer to a Subscribe
	View     string
	Prev     string
	Pos      string
	HasTotal bool
	Total    int      // if HasTotal: entries that match, without the limit
	Put      []Entry  // entries that entered the view, or replace the client's
	Set      []Patch  // changed members of the client's entries
	Del      []string // codes that left the view
}

// Head implements [Message].
func (m *Diff) Head() (string, ID) { return TypeDiff, m.ID }

func (m *Diff) visitMembers(c *codec) {
	c.visitID(&m.ID)
	c.visitText("view", &m.View)
	c.visitText("prev", &m.Prev)
	c.visitText("pos", &m.Pos)
	m.HasTotal = m.HasTotal || c.lookupNonNullMember("total") != nil
	if m.HasTotal {
		c.visitInt("total", &m.Total)
	}
	if !c.isWriting || len(m.Put) > 0 {
		visitArray(c, "put", &m.Put, AppendEntry, parseEntry)
	}
	if !c.isWriting || len(m.Set) > 0 {
		visitArray(c, "set", &m.Set, appendPatch, parsePatch)
	}
	c.visitOptionalTexts("del", &m.Del)
}
