package wire

// BodyWriter writes the body of a snapshot or a diff from the caller's own
// data. Only the growth of its buffer allocates:
//
//	b := wire.BeginDiff(buf[:0], view, prev, pos)
//	b.AddTotal(n)             // optional, before the rest
//	b.AddPut(&entry)          // all puts, then
//	b.AddSet(&old, &entry)    // all sets, then
//	b.AddDel(code)            // all dels
//	body := b.End()
//
// The caller must keep this order; any other order repeats a member.
type BodyWriter struct {
	buf  []byte
	list string // the name of the open array, or ""
}

// BeginSnapshot begins the body of a snapshot after dst. [BodyWriter.AddStream]
// adds its streams.
func BeginSnapshot(dst []byte, view, pos string, total int) BodyWriter {
	dst = appendText(dst, "view", view)
	dst = appendText(dst, "pos", pos)
	return beginStreams(dst, total)
}

// BeginPage begins a later page of a query after dst: a whole object without
// type and position. [BodyWriter.AddStream] adds its streams.
func BeginPage(dst []byte, view string, total int) BodyWriter {
	return beginStreams(appendText(append(dst, '{'), "view", view), total)
}

// beginStreams opens the array of streams, which is written even if it is
// empty, unlike the arrays of a diff.
func beginStreams(dst []byte, total int) BodyWriter {
	dst = appendInt(dst, "total", int64(total))
	return BodyWriter{buf: append(appendName(dst, "streams"), '['), list: "streams"}
}

// BeginDiff begins the body of a diff after dst.
func BeginDiff(dst []byte, view, prev, pos string) BodyWriter {
	dst = appendText(dst, "view", view)
	dst = appendText(dst, "prev", prev)
	return BodyWriter{buf: appendText(dst, "pos", pos)}
}

// AddTotal adds the total of a diff.
func (b *BodyWriter) AddTotal(n int) { b.buf = appendInt(b.buf, "total", int64(n)) }

// AddStream adds an entry to a snapshot.
func (b *BodyWriter) AddStream(e *Entry) {
	b.beginElement("streams")
	b.buf = AppendEntry(b.buf, e)
}

// AddPut adds an entry to a diff's put.
func (b *BodyWriter) AddPut(e *Entry) {
	b.beginElement("put")
	b.buf = AppendEntry(b.buf, e)
}

// AddSet adds the patch from old to new to a diff's set, unless they are equal.
// See [AppendPatch].
func (b *BodyWriter) AddSet(old, new *Entry) (isAdded bool) {
	before := *b
	b.beginElement("set")
	start := len(b.buf)
	b.buf = AppendPatch(b.buf, old, new)
	if len(b.buf) == start {
		before.buf = b.buf[:len(before.buf)]
		*b = before
		return false
	}
	return true
}

// AddDel adds a code to a diff's del.
func (b *BodyWriter) AddDel(code string) {
	b.beginElement("del")
	b.buf = AppendJSONString(b.buf, code)
}

// Len returns the length of the buffer, dst included.
func (b *BodyWriter) Len() int { return len(b.buf) }

// End returns dst with the finished body after it. The BodyWriter must not be
// used afterwards.
func (b *BodyWriter) End() []byte {
	if b.list != "" {
		b.buf = append(b.buf, ']')
	}
	return closeObject(b.buf)
}

// beginElement prepares for an element of the array list, and opens the array
// if another or none is open. It puts the comma in front of the element, so that
// AddSet can remove the element.
func (b *BodyWriter) beginElement(list string) {
	if b.list == list {
		if b.buf[len(b.buf)-1] != '[' {
			b.buf = append(b.buf, ',')
		}
		return
	}
	if b.list != "" {
		b.buf = append(b.buf, ']', ',')
	}
	b.buf = append(appendName(b.buf, list), '[')
	b.list = list
}
