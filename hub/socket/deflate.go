package socket

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"sync"
)

const (
	// minDeflate is the shortest body that is deflated. Below it one saves
	// less than the packet's own headers take.
	minDeflate = 256

	// syncMarker ends what a flate.Writer has flushed. RFC 7692 §7.2.1 leaves
	// it out at the end of a message.
	syncMarker = "\x00\x00\xff\xff"

	storedBlock = 5         // bytes before the content of a stored block
	maxStored   = 1<<16 - 1 // the longest content of one
)

// A deflater is a compressor and where it writes to; one is about 800 KB.
type deflater struct {
	writer *flate.Writer
	buf    bytes.Buffer
}

// deflaters is a pool because bodies are built by many goroutines, now and then.
var deflaters = sync.Pool{New: func() any {
	d := new(deflater)
	d.writer, _ = flate.NewWriter(&d.buf, 6) // fails for levels that do not exist
	return d
}}

// deflate appends plain to dst as deflated blocks that refer to nothing before
// them and end on a byte, fit to end a message.
func deflate(dst, plain []byte) []byte {
	d := deflaters.Get().(*deflater)
	defer deflaters.Put(d)
	d.buf.Reset()
	d.writer.Reset(&d.buf)
	d.writer.Write(plain) // cannot fail into a buffer
	d.writer.Flush()
	return append(dst, bytes.TrimSuffix(d.buf.Bytes(), []byte(syncMarker))...)
}

// appendStored appends plain as stored blocks (RFC 1951 §3.2.4): not
// compressed, whole bytes, so that blocks deflated on their own may follow.
func appendStored(dst, plain []byte) []byte {
	for len(plain) > 0 {
		n := min(len(plain), maxStored)
		dst = append(dst, 0)
		dst = binary.LittleEndian.AppendUint16(dst, uint16(n))
		dst = binary.LittleEndian.AppendUint16(dst, ^uint16(n))
		dst = append(dst, plain[:n]...)
		plain = plain[n:]
	}
	return dst
}

// storedLen is how many bytes appendStored appends for n.
func storedLen(n int) int {
	return n + (n+maxStored-1)/maxStored*storedBlock
}
