package socket

import "sync"

// Body is a payload that many messages share. It is framed once and deflated at
// most once, even for sockets with different heads. It is immutable and safe for
// concurrent use.
type Body struct {
	// Static after construction.
	// Each frame has a ping after its end; see frameFor.
	plainFrame []byte // a plain frame of this body alone
	plain      []byte // the payload in plainFrame

	// Set by once.Do(deflate), for the first socket with compression.
	once          sync.Once
	deflatedFrame []byte // a deflated frame of this body alone; nil if plain is shorter
	deflated      []byte // the payload in deflatedFrame
}

// NewBody copies plain, which must be UTF-8, into a body.
func NewBody(plain []byte) *Body {
	frame := make([]byte, 0, maxFrameHeader+len(plain)+len(pingFrame))
	frame = appendFrameHeader(frame, len(plain), false)
	start := len(frame)
	frame = append(frame, plain...)
	end := len(frame)
	frame = append(frame, pingFrame...)
	return &Body{plainFrame: frame[:end], plain: frame[start:end]}
}

// Len returns the number of plain bytes.
func (b *Body) Len() int { return len(b.plain) }

// frameFor returns the frame of this body alone and the payload in it, deflated
// if that is allowed and shorter. Both end before a ping in the same array.
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
	end := len(buf)
	if end-maxFrameHeader+storedBlockHeader >= len(b.plain) {
		return // with the stored block of a head it would be longer than plain
	}
	buf = append(buf, pingFrame...)[:end]
	payload := buf[maxFrameHeader:]
	var space [maxFrameHeader]byte
	header := appendFrameHeader(space[:0], len(payload), true)
	b.deflatedFrame = buf[maxFrameHeader-len(header):]
	copy(b.deflatedFrame, header)
	b.deflated = payload
}
