package socket

import (
	"encoding/binary"
	"math"
)

// Bits of the first two bytes of a frame (RFC 6455 §5.2, RFC 7692 §7.2.3.1). A
// server does not mask its frames, so one frame serves all clients.
const (
	finalBit       = 0x80
	deflatedBit    = 0x40
	opContinuation = 0x0
	opText         = 0x1
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xa

	maxFrameHeader    = 10
	maxControlPayload = 125
	maxControlFrame   = 2 + maxControlPayload
)

// appendFrameHeader appends the header of a text message in one frame.
func appendFrameHeader(dst []byte, payloadSize int, isDeflated bool) []byte {
	first := byte(finalBit | opText)
	if isDeflated {
		first |= deflatedBit
	}
	switch {
	case payloadSize < 126:
		return append(dst, first, byte(payloadSize))
	case payloadSize < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, first, 126), uint16(payloadSize))
	default:
		return binary.BigEndian.AppendUint64(append(dst, first, 127), uint64(payloadSize))
	}
}

// isWholeControlFrame reports whether p is exactly one control frame of a server.
func isWholeControlFrame(p []byte) bool {
	return len(p) >= 2 && p[0]&(finalBit|0x70|opClose) == finalBit|opClose && int(p[1]) == len(p)-2
}

func isCloseFrame(p []byte) bool { return p[0]&0x0f == opClose }

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

// isProtocolViolation reports whether the library, or Conn, rejects a frame because
// of its header. A message has begun before the frame if inMessage is true.
func (h *clientHeader) isProtocolViolation(inMessage bool) bool {
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
