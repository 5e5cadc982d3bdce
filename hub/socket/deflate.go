package socket

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"sync"
)

const (
	// minDeflateBytes is the shortest body that is deflated. Deflating a shorter
	// one saves less than the size of the packet's headers.
	minDeflateBytes = 256

	// syncMarker is the end of a flushed flate.Writer's output. RFC 7692 §7.2.1
	// omits it at the end of a message.
	syncMarker = "\x00\x00\xff\xff"

	storedBlockHeader = 5         // bytes before the content of a stored block
	maxStoredBlock    = 1<<16 - 1 // the maximum content of a stored block
)

// deflater is a compressor and its output. It takes about 800 KB.
type deflater struct {
	writer *flate.Writer
	output bytes.Buffer
}

// deflaterPool shares the deflaters, because many goroutines build bodies, each
// only now and then.
var deflaterPool = sync.Pool{New: func() any {
	d := new(deflater)
	d.writer, _ = flate.NewWriter(&d.output, 6) // fails only for invalid levels
	return d
}}

// appendDeflated appends plain as deflated blocks that refer to no earlier data, end on
// a byte, and can end a message.
func appendDeflated(dst, plain []byte) []byte {
	d := deflaterPool.Get().(*deflater)
	defer deflaterPool.Put(d)
	d.output.Reset()
	d.writer.Reset(&d.output)
	d.writer.Write(plain) // a write to a buffer cannot fail
	d.writer.Flush()
	return append(dst, bytes.TrimSuffix(d.output.Bytes(), []byte(syncMarker))...)
}

// appendStored appends plain as stored blocks (RFC 1951 §3.2.4). They are not
// compressed and end on a byte, so independently deflated blocks can follow.
func appendStored(dst, plain []byte) []byte {
	for len(plain) > 0 {
		n := min(len(plain), maxStoredBlock)
		dst = append(dst, 0)
		dst = binary.LittleEndian.AppendUint16(dst, uint16(n))
		dst = binary.LittleEndian.AppendUint16(dst, ^uint16(n))
		dst = append(dst, plain[:n]...)
		plain = plain[n:]
	}
	return dst
}

// storedSize returns the size of plain bytes as stored blocks.
func storedSize(plainSize int) int {
	return plainSize + (plainSize+maxStoredBlock-1)/maxStoredBlock*storedBlockHeader
}
