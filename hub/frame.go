package hub

import (
	"bytes"

	"onair/hub/socket"
	"onair/hub/wire"
	"onair/presence"
)

// messageKind is the kind of a message, for metrics.
type messageKind uint8

const (
	answerMessage  messageKind = iota
	diffMessage                // a view's diff from its last frame to the next one
	idleMessage                // the same without changes
	catchUpMessage             // a diff for a socket that is behind or resumes
	snapshotMessage
	pingMessage
	messageKindCount
)

var kindNames = [messageKindCount]string{"answer", "diff", "idle", "catchup", "snapshot", "ping"}

// frame is a snapshot or a diff of a view, encoded once for all sockets. Hub.mu
// guards it; its bodies are immutable.
type frame struct {
	kind     messageKind
	prev     presence.Position // of a diff
	wireType string            // wire.TypeSnapshot or wire.TypeDiff
	text     []byte            // the whole message, without an id
	tail     []byte            // text after the head of AppendHead

	textBody, tailBody *socket.Body // made at first use
}

func newFrame(kind messageKind, wireType string, text []byte, headLen int) *frame {
	return &frame{kind: kind, wireType: wireType, text: text, tail: text[headLen:]}
}

// message is the frame as the answer to a request, or unsolicited if requestID is "".
func (f *frame) message(requestID wire.ID) socket.Message {
	if requestID == "" {
		if f.textBody == nil {
			f.textBody = socket.NewBody(f.text)
		}
		return socket.Message{Body: f.textBody}
	}
	if f.tailBody == nil {
		f.tailBody = socket.NewBody(f.tail)
	}
	return socket.Message{Head: wire.AppendHead(nil, f.wireType, requestID), Body: f.tailBody}
}

// encoder encodes frames and entries. It reuses its memory, so Hub.mu guards it.
type encoder struct {
	urls    viewURLs // of the view that is encoded
	encoded int      // number of frames so far

	entries  [2]wire.Entry
	playJSON [2][]byte // of entries
	url      []byte
	diffText []byte // diffs have no known size, so they are cloned from here
}

// Entry returns a stream as viewers see it, without play URLs.
func Entry(st *presence.Stream) wire.Entry {
	return wire.Entry{
		Code: st.Code, Anchor: st.Anchor, Title: st.Title, State: st.State.String(), Away: st.Away.String(),
		StartedAt: st.StartedAt, Viewers: st.Viewers, Likes: st.Likes, Tags: st.Tags, Cover: st.Cover, Extra: st.Extra,
	}
}

// fillEntry returns a stream as viewers see it, with or without its play URLs.
// The result is valid until the next call with the same slot, 0 or 1.
func (e *encoder) fillEntry(slot int, st *presence.Stream, withURLs bool, logTime int64) *wire.Entry {
	entry := &e.entries[slot]
	*entry = Entry(st)
	if withURLs && e.urls.hasURLs() {
		e.playJSON[slot] = e.appendPlayJSON(e.playJSON[slot][:0], st.Code, logTime)
		entry.PlayJSON = e.playJSON[slot]
	}
	return entry
}

// appendPlayJSON appends a stream's play URLs as a JSON object by protocol.
func (e *encoder) appendPlayJSON(dst []byte, code string, logTime int64) []byte {
	signer := e.urls.signer
	expires := signer.Expiry(code, logTime)
	dst = append(dst, '{')
	for i, protocol := range e.urls.protocols {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(wire.AppendJSONString(dst, protocol), ':')
		e.url = signer.AppendURL(e.url[:0], protocol, code, expires)
		dst = wire.AppendJSONString(dst, string(e.url))
	}
	return append(dst, '}')
}

// encodeSnapshot encodes a view's published state.
func (e *encoder) encodeSnapshot(v *view) *frame {
	e.urls = v.urls
	e.encoded++
	m := &v.published
	dst := wire.AppendHead(make([]byte, 0, 256*(1+len(m.window))), wire.TypeSnapshot, "")
	headLen := len(dst)
	b := wire.BeginSnapshot(dst, v.query.viewID, m.pos.String(), m.total)
	for _, st := range m.window {
		b.AddStream(e.fillEntry(0, st, true, m.logTime))
	}
	return newFrame(snapshotMessage, wire.TypeSnapshot, b.End(), headLen)
}

// encodeDiff encodes a delta between two states of a view.
func (e *encoder) encodeDiff(v *view, kind messageKind, from, to *viewState, d *delta) *frame {
	e.urls = v.urls
	e.encoded++
	dst := wire.AppendHead(e.diffText[:0], wire.TypeDiff, "")
	headLen := len(dst)
	b := wire.BeginDiff(dst, v.query.viewID, from.pos.String(), to.pos.String())
	b.AddTotal(to.total)
	for _, st := range d.put {
		b.AddPut(e.fillEntry(0, st, true, to.logTime))
	}
	for _, p := range d.set {
		b.AddSet(e.fillEntry(0, p.old, p.urlsDiffer, from.logTime), e.fillEntry(1, p.new, p.urlsDiffer, to.logTime))
	}
	for _, code := range d.del {
		b.AddDel(code)
	}
	e.diffText = b.End()
	f := newFrame(kind, wire.TypeDiff, bytes.Clone(e.diffText), headLen)
	f.prev = from.pos
	return f
}
