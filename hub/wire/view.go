package wire

// Snapshot is the whole of a view.
type Snapshot struct {
	ID      ID
	View    string
	Pos     string
	Total   int // entries that match, without the limit
	Streams []Entry
}

// Head implements [Message].
func (m *Snapshot) Head() (string, ID) { return TypeSnapshot, m.ID }

func (m *Snapshot) appendBody(dst []byte) []byte { return AppendSnapshotBody(dst, m) }

// AppendSnapshot is [AppendFrame] for a Snapshot that stays on the stack.
func AppendSnapshot(dst []byte, m *Snapshot) []byte {
	return AppendSnapshotBody(AppendHead(dst, TypeSnapshot, m.ID), m)
}

// AppendSnapshotBody appends what [AppendSnapshot] appends after the head.
func AppendSnapshotBody(dst []byte, m *Snapshot) []byte {
	b := BeginSnapshot(dst, m.View, m.Pos, m.Total)
	for i := range m.Streams {
		b.AddStream(&m.Streams[i])
	}
	return b.End()
}

func decodeSnapshot(f *fields) Message {
	return &Snapshot{
		ID: f.id, View: f.text("view"), Pos: f.text("pos"),
		Total: int(f.integer("total")), Streams: f.entries("streams"),
	}
}

// Diff leads a view from one position to another. Without changes it only says
// that the view is still there.
type Diff struct {
	ID       ID // only on the answer to a Subscribe
	View     string
	Prev     string
	Pos      string
	HasTotal bool
	Total    int      // if HasTotal: entries that match, without the limit
	Put      []Entry  // entered the view, or replace what the client has
	Set      []Patch  // members of what the client has
	Del      []string // codes that left the view
}

// Head implements [Message].
func (m *Diff) Head() (string, ID) { return TypeDiff, m.ID }

func (m *Diff) appendBody(dst []byte) []byte { return AppendDiffBody(dst, m) }

// AppendDiff is [AppendFrame] for a Diff that stays on the stack.
func AppendDiff(dst []byte, m *Diff) []byte {
	return AppendDiffBody(AppendHead(dst, TypeDiff, m.ID), m)
}

// AppendDiffBody appends what [AppendDiff] appends after the head.
func AppendDiffBody(dst []byte, m *Diff) []byte {
	b := BeginDiff(dst, m.View, m.Prev, m.Pos)
	if m.HasTotal {
		b.AddTotal(m.Total)
	}
	for i := range m.Put {
		b.AddPut(&m.Put[i])
	}
	for i := range m.Set {
		b.element("set")
		b.buf = m.Set[i].append(b.buf)
	}
	for _, code := range m.Del {
		b.AddDel(code)
	}
	return b.End()
}

func decodeDiff(f *fields) Message {
	m := &Diff{ID: f.id, View: f.text("view"), Prev: f.text("prev"), Pos: f.text("pos")}
	m.HasTotal = f.raw("total") != nil
	m.Total = int(f.integer("total"))
	m.Put = f.entries("put")
	f.each("set", func(raw []byte) error {
		p, err := parsePatch(raw)
		m.Set = append(m.Set, p)
		return err
	})
	m.Del = f.someTexts("del")
	return m
}

// BodyWriter writes the body of a snapshot or a diff straight from the caller's own
// data, piece by piece, and allocates nothing but the growth of its buffer:
//
//	b := wire.BeginDiff(buf[:0], view, prev, pos)
//	b.AddTotal(n)             // if wanted, before the rest
//	b.AddPut(&entry)          // all puts, then
//	b.AddSet(&old, &entry)    // all sets, then
//	b.AddDel(code)            // all dels
//	body := b.End()
//
// Keeping that order is up to the caller; another gives a member twice.
type BodyWriter struct {
	buf  []byte
	list string // the name of the array that is open, or ""
}

// BeginSnapshot begins the body of a snapshot behind dst, to which [Body.AddStream]
// and [Body.AddStreamJSON] add.
func BeginSnapshot(dst []byte, view, pos string, total int) BodyWriter {
	dst = addText(dst, "view", view)
	dst = addText(dst, "pos", pos)
	dst = addInt(dst, "total", int64(total))
	// Unlike the arrays of a diff, this one is there even when it is empty.
	return BodyWriter{buf: append(addName(dst, "streams"), '['), list: "streams"}
}

// BeginPage begins a later page of a query: a whole object behind dst, with
// neither type nor position, to which [Body.AddStream] adds.
func BeginPage(dst []byte, view string, total int) BodyWriter {
	dst = addText(append(dst, '{'), "view", view)
	dst = addInt(dst, "total", int64(total))
	return BodyWriter{buf: append(addName(dst, "streams"), '['), list: "streams"}
}

// BeginDiff begins the body of a diff behind dst.
func BeginDiff(dst []byte, view, prev, pos string) BodyWriter {
	dst = addText(dst, "view", view)
	dst = addText(dst, "prev", prev)
	return BodyWriter{buf: addText(dst, "pos", pos)}
}

// AddTotal adds the total of a diff.
func (b *BodyWriter) AddTotal(n int) { b.buf = addInt(b.buf, "total", int64(n)) }

// AddStream adds an entry to a snapshot.
func (b *BodyWriter) AddStream(e *Entry) {
	b.element("streams")
	b.buf = AppendEntry(b.buf, e)
}

// AddStreamJSON adds an entry that was rendered by [AppendEntry] to a snapshot.
func (b *BodyWriter) AddStreamJSON(entry []byte) {
	b.element("streams")
	b.buf = append(b.buf, entry...)
}

// AddPut adds an entry to a diff's put.
func (b *BodyWriter) AddPut(e *Entry) {
	b.element("put")
	b.buf = AppendEntry(b.buf, e)
}

// AddPutJSON adds an entry that was rendered by [AppendEntry] to a diff's put.
func (b *BodyWriter) AddPutJSON(entry []byte) {
	b.element("put")
	b.buf = append(b.buf, entry...)
}

// AddSet adds the patch from old to new to a diff's set, and tells whether there
// was anything to add. See [AppendPatch].
func (b *BodyWriter) AddSet(old, new *Entry) bool {
	before := *b
	b.element("set")
	bare := len(b.buf)
	b.buf = AppendPatch(b.buf, old, new)
	if len(b.buf) == bare {
		before.buf = b.buf[:len(before.buf)]
		*b = before
		return false
	}
	return true
}

// AddSetJSON adds a patch that was rendered by [AppendPatch] to a diff's set.
func (b *BodyWriter) AddSetJSON(patch []byte) {
	b.element("set")
	b.buf = append(b.buf, patch...)
}

// AddDel adds a code to a diff's del.
func (b *BodyWriter) AddDel(code string) {
	b.element("del")
	b.buf = AppendJSONString(b.buf, code)
}

// Len returns how many bytes the buffer holds so far, dst included.
func (b *BodyWriter) Len() int { return len(b.buf) }

// End returns dst with the finished body behind it. The Body is then used up.
func (b *BodyWriter) End() []byte {
	if b.list != "" {
		b.buf = append(b.buf, ']')
	}
	return closeObject(b.buf)
}

// element makes room for one more element of the array list, which it opens
// when another or none is open. Unlike in the add functions the comma goes in
// front, so that Set can take an element back.
func (b *BodyWriter) element(list string) {
	if b.list == list {
		if b.buf[len(b.buf)-1] != '[' {
			b.buf = append(b.buf, ',')
		}
		return
	}
	if b.list != "" {
		b.buf = append(b.buf, ']', ',')
	}
	b.buf = append(addName(b.buf, list), '[')
	b.list = list
}
