package socket

import "sync"

// A Body is what many messages share: it is framed once and deflated at most
// once, whatever the number of sockets and of different heads before it. It is
// immutable and safe for concurrent use.
type Body struct {
	// Static after construction.
	frame []byte // a whole plain frame of nothing but this body
	plain []byte // the payload in frame

	// Set by once.Do(deflate), when the first socket asks that negotiated it.
	once          sync.Once
	deflatedFrame []byte // the same deflated, or nil: not worth it
	deflated      []byte // the payload in deflatedFrame
}

// NewBody copies plain, which must be UTF-8, into a body.
func NewBody(plain []byte) *Body {
	b := &Body{frame: make([]byte, 0, maxHeader+len(plain))}
	b.frame = appendHeader(b.frame, len(plain), false)
	start := len(b.frame)
	b.frame = append(b.frame, plain...)
	b.plain = b.frame[start:]
	return b
}

// Len is the number of plain bytes.
func (b *Body) Len() int { return len(b.plain) }

// pack returns the whole frame and the payload in it that suit a socket; small
// says whether they are the deflated ones.
func (b *Body) pack(deflated bool) (frame, payload []byte, small bool) {
	if deflated {
		b.once.Do(b.deflate)
		if b.deflated != nil {
			return b.deflatedFrame, b.deflated, true
		}
	}
	return b.frame, b.plain, false
}

func (b *Body) deflate() {
	if len(b.plain) < minDeflate {
		return
	}
	buf := deflate(make([]byte, maxHeader, maxHeader+len(b.plain)/2), b.plain)
	payload := buf[maxHeader:]
	if len(payload)+storedBlock >= len(b.plain) {
		return // a stored head before it must not make it longer than plain
	}
	var space [maxHeader]byte
	header := appendHeader(space[:0], len(payload), true)
	b.deflatedFrame = buf[maxHeader-len(header):]
	copy(b.deflatedFrame, header)
	b.deflated = payload
}
