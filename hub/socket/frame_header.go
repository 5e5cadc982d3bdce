package socket

import "encoding/binary"

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

// isControlFrame reports whether p is exactly one control frame of a server.
func isControlFrame(p []byte) bool {
	return len(p) >= 2 && p[0]&(finalBit|0x70|opClose) == finalBit|opClose && int(p[1]) == len(p)-2
}

func isCloseFrame(p []byte) bool { return p[0]&0x0f == opClose }
