package main

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The opcodes of RFC 6455 §5.2.
const (
	opContinue = 0x0
	opText     = 0x1
	opBinary   = 0x2
	opClose    = 0x8
	opPing     = 0x9
	opPong     = 0xA

	finalBit     = 0x80
	deflatedBit  = 0x40 // RSV1
	reservedBits = 0x30
	maskBit      = 0x80

	maxControlPayload = 125
)

// maxFramePayload is the longest accepted payload. A snapshot of 10,000 entries is far smaller.
const maxFramePayload = 64 << 20

// frame is one frame of a server.
type frame struct {
	op         byte
	isFinal    bool
	isDeflated bool
	payload    []byte // shares memory with the parsed data
}

// parseFrame parses the first frame of data, of consumed bytes; 0 while some are missing.
func parseFrame(data []byte) (f frame, consumed int, err error) {
	if len(data) < 2 {
		return f, 0, nil
	}
	f.op, f.isFinal, f.isDeflated = data[0]&0xF, data[0]&finalBit != 0, data[0]&deflatedBit != 0
	size, head := uint64(data[1]&^maskBit), 2
	switch {
	case data[1]&maskBit != 0:
		return f, 0, errors.New("a masked frame")
	case data[0]&reservedBits != 0:
		return f, 0, errors.New("a frame with reserved bits")
	case f.op > opBinary && f.op < opClose || f.op > opPong:
		return f, 0, fmt.Errorf("a frame with opcode %d", f.op)
	case f.op >= opClose && (!f.isFinal || f.isDeflated || size > maxControlPayload):
		return f, 0, errors.New("a control frame that is long, deflated or fragmented")
	}
	switch size {
	case 126:
		if len(data) < 4 {
			return f, 0, nil
		}
		size, head = uint64(binary.BigEndian.Uint16(data[2:])), 4
	case 127:
		if len(data) < 10 {
			return f, 0, nil
		}
		size, head = binary.BigEndian.Uint64(data[2:]), 10
	}
	if size > maxFramePayload {
		return f, 0, fmt.Errorf("a frame of %d bytes", size)
	}
	if uint64(len(data)-head) < size {
		return f, 0, nil
	}
	consumed = head + int(size)
	f.payload = data[head:consumed]
	return f, consumed, nil
}

// appendMaskedFrame appends a masked frame, as clients must send it.
func appendMaskedFrame(dst []byte, op byte, payload []byte, mask uint32) []byte {
	dst = append(dst, finalBit|op)
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, maskBit|byte(n))
	case n <= 0xFFFF:
		dst = append(dst, maskBit|126)
		dst = binary.BigEndian.AppendUint16(dst, uint16(n))
	default:
		dst = append(dst, maskBit|127)
		dst = binary.BigEndian.AppendUint64(dst, uint64(n))
	}
	var key [4]byte
	binary.BigEndian.PutUint32(key[:], mask)
	dst = append(dst, key[:]...)
	for i, b := range payload {
		dst = append(dst, b^key[i&3])
	}
	return dst
}
