package hub

import (
	"bytes"

	"onair/hub/socket"
	"onair/hub/wire"
	"onair/presence"
)

// kind is what a message is, in metrics.
type kind uint8

// The kinds of messages.
const (
	answerMessage  kind = iota
	diffMessage         // a view's diff, from its last frame to this
	idleMessage         // the same without changes
	catchUpMessage      // a diff for a socket that was behind, or that resumes
	snapshotMessage
	pingMessage
	kinds
)

var kindNames = [kinds]string{"answer", "diff", "idle", "catchup", "snapshot", "ping"}

// frame is a snapshot or a diff of a view, encoded once for all. It is guarded
// by Hub.mu; its bodies are immutable.
type frame struct {
	kind kind
	prev presence.Position // of a diff
	typ  string            // wire.TypeSnapshot or wire.TypeDiff
	text []byte            // the whole message, without an id
	body []byte            // text without its head

	whole *socket.Body // of text, made when it is first needed
	rest  *socket.Body // of body, likewise
}

// newFrame takes the message's text, whose head is that of AppendHead.
func newFrame(k kind, typ string, text []byte, head int) *frame {
	return &frame{kind: k, typ: typ, text: text, body: text[head:]}
}

// message is the frame as the answer to a request, or unasked with id "".
func (f *frame) message(id wire.ID) socket.Message {
	if id == "" {
		if f.whole == nil {
			f.whole = socket.NewBody(f.text)
		}
		return socket.Message{Body: f.whole}
	}
	if f.rest == nil {
		f.rest = socket.NewBody(f.body)
	}
	return socket.Message{Head: wire.AppendHead(nil, f.typ, id), Body: f.rest}
}

// encoder puts streams into messages. It keeps its scratch space, so it is
// guarded by Hub.mu.
type encoder struct {
	player

	entries [2]wire.Entry
	play    [2][]byte
	buf     []byte // a URL
	text    []byte // a diff, of which nobody knows the size before
}

// Entry is a stream as viewers see it, without play URLs.
func Entry(st *presence.Stream) wire.Entry {
	return wire.Entry{
		Code: st.Code, Anchor: st.Anchor, Title: st.Title, State: st.State.String(), Away: st.Away.String(),
		StartedAt: st.StartedAt, Viewers: st.Viewers, Likes: st.Likes, Tags: st.Tags, Cover: st.Cover, Extra: st.Extra,
	}
}

// entry is a stream as viewers see it, with its play URLs if it is to have
// them. It is good until i is used again.
func (c *encoder) entry(i int, st *presence.Stream, urls bool, time int64) *wire.Entry {
	e := &c.entries[i]
	*e = Entry(st)
	if urls && !c.none() {
		c.play[i] = c.appendPlay(c.play[i][:0], st.Code, time)
		e.PlayJSON = c.play[i]
	}
	return e
}

// appendPlay appends the URLs of a stream as a JSON object.
func (c *encoder) appendPlay(dst []byte, code string, time int64) []byte {
	expires := c.signer.Expiry(code, time)
	dst = append(dst, '{')
	for i, p := range c.player.play {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(wire.AppendJSONString(dst, p), ':')
		c.buf = c.signer.AppendURL(c.buf[:0], p, code, expires)
		dst = wire.AppendJSONString(dst, string(c.buf))
	}
	return append(dst, '}')
}

// snapshot encodes all of a moment.
func (c *encoder) snapshot(view string, m *moment, size int) *frame {
	dst := wire.AppendHead(make([]byte, 0, size), wire.TypeSnapshot, "")
	head := len(dst)
	b := wire.BeginSnapshot(dst, view, m.pos.String(), m.total)
	for _, st := range m.window {
		b.AddStream(c.entry(0, st, true, m.time))
	}
	return newFrame(snapshotMessage, wire.TypeSnapshot, b.End(), head)
}

// diff encodes what leads from one moment to another.
func (c *encoder) diff(view string, k kind, from, to *moment, d *delta) *frame {
	dst := wire.AppendHead(c.text[:0], wire.TypeDiff, "")
	head := len(dst)
	b := wire.BeginDiff(dst, view, from.pos.String(), to.pos.String())
	b.AddTotal(to.total)
	for _, st := range d.put {
		b.AddPut(c.entry(0, st, true, to.time))
	}
	for _, p := range d.set {
		b.AddSet(c.entry(0, p.old, p.renewed, from.time), c.entry(1, p.new, p.renewed, to.time))
	}
	for _, code := range d.del {
		b.AddDel(code)
	}
	c.text = b.End()
	f := newFrame(k, wire.TypeDiff, bytes.Clone(c.text), head)
	f.prev = from.pos
	return f
}
