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
	own, shared := m.splitFrame(dst, allowDeflate, false)
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

// plainSize is the size of the message's text.
func (m Message) plainSize() int {
	if m.Body == nil {
		return len(m.Head)
	}
	return len(m.Head) + m.Body.Len()
}

// splitFrame returns the frame, and a ping after it if withPing is true, in two parts. It
// appends the message's own part to dst; the other part is shared with other messages.
func (m Message) splitFrame(dst []byte, allowDeflate, withPing bool) (own, shared []byte) {
	if m.Body == nil {
		own = append(appendFrameHeader(dst, len(m.Head), false), m.Head...)
		if withPing {
			own = append(own, pingFrame...)
		}
		return own, nil
	}
	frame, payload, isDeflated := m.Body.frameFor(allowDeflate)
	switch {
	case len(m.Head) == 0:
		own, shared = dst, frame
	case !isDeflated:
		own = append(appendFrameHeader(dst, len(m.Head)+len(payload), false), m.Head...)
		shared = payload
	default:
		own = appendStored(appendFrameHeader(dst, storedSize(len(m.Head))+len(payload), true), m.Head)
		shared = payload
	}
	if withPing {
		shared = shared[:len(shared)+len(pingFrame)]
	}
	return own, shared
}
