package socket

import (
	"bufio"
	"bytes"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
)

const (
	// The buffers that the library reads and writes through. The one it writes
	// through must hold the largest control frame, so that each is one Write; the
	// other saves system calls where a goroutine reads, and does nothing for a
	// feed.
	readBuffer  = 128
	feedBuffer  = 16
	writeBuffer = maxControlFrame + 1
)

// An upgrade is the http.ResponseWriter that the library's Accept gets. It
// keeps a refusal to itself, so that the caller can answer in its own words,
// and hands out our wire when the connection is hijacked. It lives as long as
// the call of Accept, in one goroutine.
type upgrade struct {
	w       http.ResponseWriter
	options Options

	header   http.Header // what the library set; goes to w with the 101 only
	status   int
	reason   strings.Builder
	switched bool  // the 101 has gone to w
	wire     *wire // once hijacked
}

func newUpgrade(w http.ResponseWriter, o Options) *upgrade {
	return &upgrade{w: w, options: o, header: make(http.Header)}
}

// Header implements http.ResponseWriter.
func (u *upgrade) Header() http.Header { return u.header }

// Write implements http.ResponseWriter: the library writes refusals only.
func (u *upgrade) Write(p []byte) (int, error) { return u.reason.Write(p) }

// WriteHeader implements http.ResponseWriter.
func (u *upgrade) WriteHeader(status int) {
	u.status = status
	if status == http.StatusSwitchingProtocols {
		u.switched = true
		maps.Copy(u.w.Header(), u.header)
		u.w.WriteHeader(status)
	}
}

// Hijack implements http.Hijacker. What net/http has read beyond the request
// goes into the wire, and the buffers returned are new, small and empty.
func (u *upgrade) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffers, err := http.NewResponseController(u.w).Hijack()
	if err != nil {
		return nil, nil, err
	}
	early, err := buffers.Reader.Peek(buffers.Reader.Buffered())
	if err != nil && err != io.EOF {
		conn.Close()
		return nil, nil, err
	}
	SetSendBuffer(conn, u.options.SendBufferBytes) // if it fails we only use more memory,
	EnableKeepAlive(conn)                          // or find a dead peer later
	u.wire = newWire(conn, bytes.Clone(early), u.options)
	size := readBuffer
	if u.wire.in.feed != nil {
		size = feedBuffer
	}
	return u.wire, bufio.NewReadWriter(
		bufio.NewReaderSize(u.wire, size),
		bufio.NewWriterSize(u.wire, writeBuffer),
	), nil
}

// refusal is the error for a request that the library did not upgrade.
func (u *upgrade) refusal() *UpgradeError {
	for _, name := range []string{"Connection", "Upgrade"} { // 426 comes with these
		if v := u.header.Get(name); v != "" {
			u.w.Header().Set(name, v)
		}
	}
	if u.status == http.StatusBadRequest {
		u.w.Header().Set("Sec-WebSocket-Version", "13")
	}
	return &UpgradeError{Status: u.status, Reason: strings.TrimSpace(u.reason.String())}
}

// deflated says whether permessage-deflate was agreed on.
func (u *upgrade) deflated() bool {
	return strings.HasPrefix(u.header.Get("Sec-WebSocket-Extensions"), "permessage-deflate")
}
