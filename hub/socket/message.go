package socket

// Message is one text message: its own head, such as
// `{"type":"snapshot","id":7,`, and a shared body, such as `"streams":[…]}`.
// Either may be missing. Together they are UTF-8.
//
// With compression the head is a stored block before the deflated blocks of the
// body, so a body is compressed once for any number of heads. A message without a
// body is never deflated. A message without a head is the same frame for every
// socket, and one write.
type Message struct {
	Head []byte // the caller may reuse it after Write
	Body *Body
}

// AppendFrame appends the message as one WebSocket frame, deflated if that is
// allowed and shorter.
func (m Message) AppendFrame(dst []byte, allowDeflate bool) []byte {
	own, shared := m.splitFrame(dst, allowDeflate)
	return append(own, shared...)
}

// AppendText appends the message's text, for connections that are not
// WebSockets.
func (m Message) AppendText(dst []byte) []byte {
	dst = append(dst, m.Head...)
	if m.Body != nil {
		dst = append(dst, m.Body.plain...)
	}
	return dst
}

// splitFrame returns the frame in two parts. It appends the message's own part to
// dst; the other part is shared with other messages.
func (m Message) splitFrame(dst []byte, allowDeflate bool) (own, shared []byte) {
	if m.Body == nil {
		dst = appendFrameHeader(dst, len(m.Head), false)
		return append(dst, m.Head...), nil
	}
	frame, payload, isDeflated := m.Body.frameFor(allowDeflate)
	if len(m.Head) == 0 {
		return dst, frame
	}
	if !isDeflated {
		dst = appendFrameHeader(dst, len(m.Head)+len(payload), false)
		return append(dst, m.Head...), payload
	}
	dst = appendFrameHeader(dst, storedSize(len(m.Head))+len(payload), true)
	return appendStored(dst, m.Head), payload
}
