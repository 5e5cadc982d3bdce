package socket

import (
	"encoding/binary"
	"math"
)

// clientHeader is the header of a frame from a client.
type clientHeader struct {
	opcode          byte
	isFinal         bool
	isDeflated      bool // RSV1 is set; the library checks if it is allowed
	hasReservedBits bool // RSV2 or RSV3 is set
	isMasked        bool
	payloadSize     uint64
	headerSize      int
}

// parseClientHeader parses the header at the beginning of p. It returns false if
// the header is incomplete.
func parseClientHeader(p []byte) (h clientHeader, isComplete bool) {
	if len(p) < 2 {
		return h, false
	}
	h = clientHeader{
		opcode: p[0] & 0xf, isFinal: p[0]&finalBit != 0, isDeflated: p[0]&deflatedBit != 0, hasReservedBits: p[0]&0x30 != 0,
		isMasked: p[1]&0x80 != 0, payloadSize: uint64(p[1] & 0x7f), headerSize: 2,
	}
	switch h.payloadSize {
	case 126:
		h.headerSize = 4
	case 127:
		h.headerSize = 10
	}
	if len(p) < h.headerSize {
		return h, false
	}
	switch h.headerSize {
	case 4:
		h.payloadSize = uint64(binary.BigEndian.Uint16(p[2:]))
	case 10:
		h.payloadSize = binary.BigEndian.Uint64(p[2:])
	}
	if h.isMasked {
		h.headerSize += 4
	}
	return h, len(p) >= h.headerSize
}

// violatesProtocol reports whether the library, or Conn, rejects a frame because
// of its header. A message has begun before the frame if inMessage is true.
func (h *clientHeader) violatesProtocol(inMessage bool) bool {
	switch {
	case h.hasReservedBits, !h.isMasked, h.payloadSize > math.MaxInt64: // the library reads the size as negative
		return true
	case h.opcode >= opClose:
		return h.opcode > opPong || !h.isFinal || h.payloadSize > maxControlPayload
	case h.opcode == opContinuation:
		return !inMessage
	default:
		return h.opcode != opText || inMessage
	}
}
