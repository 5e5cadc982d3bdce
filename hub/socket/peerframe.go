package socket

import (
	"encoding/binary"
	"math"
)

// peerHeader is the header of a frame that a peer sent.
type peerHeader struct {
	op       byte
	final    bool
	deflated bool // RSV1 is set; whether it may be is the library's to judge
	reserved bool // RSV2 or RSV3 is
	masked   bool
	length   uint64 // of the payload
	size     int    // of the header
}

// parseHeader reports false if p is not all of a header.
func parseHeader(p []byte) (h peerHeader, ok bool) {
	if len(p) < 2 {
		return h, false
	}
	h = peerHeader{
		op: p[0] & 0xf, final: p[0]&finalBit != 0, deflated: p[0]&deflatedBit != 0, reserved: p[0]&0x30 != 0,
		masked: p[1]&0x80 != 0, length: uint64(p[1] & 0x7f), size: 2,
	}
	switch h.length {
	case 126:
		h.size = 4
	case 127:
		h.size = 10
	}
	if len(p) < h.size {
		return h, false
	}
	switch h.size {
	case 4:
		h.length = uint64(binary.BigEndian.Uint16(p[2:]))
	case 10:
		h.length = binary.BigEndian.Uint64(p[2:])
	}
	if h.masked {
		h.size += 4
	}
	return h, len(p) >= h.size
}

// broken says whether the library, or Conn, refuses a frame by its header
// alone; open is whether it comes within a message.
func (h *peerHeader) broken(open bool) bool {
	switch {
	case h.reserved, !h.masked, h.length > math.MaxInt64: // negative, to the library
		return true
	case h.op >= opClose:
		return h.op > opPong || !h.final || h.length > maxControlPayload
	case h.op == opContinuation:
		return !open
	default:
		return h.op != opText || open
	}
}
