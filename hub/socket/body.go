package socket

import "sync"

// Body is a payload that many messages share. It is framed once and deflated at
// most once, even for sockets with different heads. It is immutable and safe for
// concurrent use.
type Body struct {
	// Static after construction.
	plainFrame []byte // a plain frame of this body alone
	plain      []byte // the payload in plainFrame

	// Set by once.Do(deflate), for the first socket with compression.
	once          sync.Once
	deflatedFrame []byte // a deflated frame of this body alone; nil if plain is shorter
	deflated      []byte // the payload in deflatedFrame
}

// NewBody copies plain, which must be UTF-8, into a body.
func NewBody(plain []byte) *Body {
	b := &Body{plainFrame: make([]byte, 0, maxFrameHeader+len(plain))}
	b.plainFrame = appendFrameHeader(b.plainFrame, len(plain), false)
	start := len(b.plainFrame)
	b.plainFrame = append(b.plainFrame, plain...)
	b.plain = b.plainFrame[start:]
	return b
}

// Len returns the number of plain bytes.
func (b *Body) Len() int { return len(b.plain) }

// frameFor returns the frame of this body alone and the payload in it, deflated
// if that is allowed and shorter.
func (b *Body) frameFor(allowDeflate bool) (frame, payload []byte, isDeflated bool) {
	if allowDeflate {
		b.once.Do(b.deflate)
		if b.deflated != nil {
			return b.deflatedFrame, b.deflated, true
		}
	}
	return b.plainFrame, b.plain, false
}

func (b *Body) deflate() {
	if len(b.plain) < minDeflateBytes {
		return
	}
	buf := appendDeflated(make([]byte, maxFrameHeader, maxFrameHeader+len(b.plain)/2), b.plain)
	payload := buf[maxFrameHeader:]
	if len(payload)+storedBlockHeader >= len(b.plain) {
		return // with the stored block of a head it would be longer than plain
	}
	var space [maxFrameHeader]byte
	header := appendFrameHeader(space[:0], len(payload), true)
	b.deflatedFrame = buf[maxFrameHeader-len(header):]
	copy(b.deflatedFrame, header)
	b.deflated = payload
}
