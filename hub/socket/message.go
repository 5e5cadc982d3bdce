package socket

// A Message is one text message: a head of its own, such as
// `{"type":"snapshot","id":7,`, and a body that others share, such as
// `"streams":[…]}`. Either may be missing. Together they are UTF-8.
//
// To a socket that deflates, the head goes as a stored block before the body's
// deflated ones: a body is compressed once, whatever the number of answers. A
// message without a body is never deflated; one without a head is the same
// bytes for every socket, header included, and one write.
type Message struct {
	Head []byte // the caller's again once Write has returned
	Body *Body
}

// AppendFrame appends the message as one WebSocket frame, deflated where that is
// allowed and worth it.
func (m Message) AppendFrame(dst []byte, deflated bool) []byte {
	start, rest := m.split(dst, deflated)
	return append(start, rest...)
}

// AppendText appends the message's text, for connections that are no
// WebSockets.
func (m Message) AppendText(dst []byte) []byte {
	dst = append(dst, m.Head...)
	if m.Body != nil {
		dst = append(dst, m.Body.plain...)
	}
	return dst
}

// split appends to dst what is this message's own, and returns what it shares
// with others: together they are the frame.
func (m Message) split(dst []byte, deflated bool) (own, shared []byte) {
	if m.Body == nil {
		dst = appendHeader(dst, len(m.Head), false)
		return append(dst, m.Head...), nil
	}
	frame, payload, small := m.Body.pack(deflated)
	if len(m.Head) == 0 {
		return dst, frame
	}
	if !small {
		dst = appendHeader(dst, len(m.Head)+len(payload), false)
		return append(dst, m.Head...), payload
	}
	dst = appendHeader(dst, storedLen(len(m.Head))+len(payload), true)
	return appendStored(dst, m.Head), payload
}
