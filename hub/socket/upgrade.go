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
	// The sizes of the library's buffers. The write buffer must hold the largest
	// control frame, so that each is one Write. The read buffer saves system calls
	// if a goroutine reads; with a receiver it has no use.
	readBuffer         = 128
	receiverReadBuffer = 16
	writeBuffer        = maxControlFrame + 1
)

// upgradeWriter is the http.ResponseWriter for the library's Accept. It records an
// error answer instead of writing it, so that the caller can write its own. It
// returns a transport when the connection is hijacked. It is used in one
// goroutine, during the call of Accept.
type upgradeWriter struct {
	w       http.ResponseWriter
	options Options

	header     http.Header // set by the library; written to w only with status 101
	status     int
	reason     strings.Builder
	isSwitched bool       // status 101 was written to w
	transport  *transport // set by Hijack
}

func newUpgradeWriter(w http.ResponseWriter, o Options) *upgradeWriter {
	return &upgradeWriter{w: w, options: o, header: make(http.Header)}
}

// Header implements http.ResponseWriter.
func (u *upgradeWriter) Header() http.Header { return u.header }

// Write implements http.ResponseWriter. The library writes only errors.
func (u *upgradeWriter) Write(p []byte) (int, error) { return u.reason.Write(p) }

// WriteHeader implements http.ResponseWriter.
func (u *upgradeWriter) WriteHeader(status int) {
	u.status = status
	if status == http.StatusSwitchingProtocols {
		u.isSwitched = true
		maps.Copy(u.w.Header(), u.header)
		u.w.WriteHeader(status)
	}
}

// Hijack implements http.Hijacker. Bytes that net/http has read beyond the request
// go to the transport. The returned buffers are new, small and empty.
func (u *upgradeWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffers, err := http.NewResponseController(u.w).Hijack()
	if err != nil {
		return nil, nil, err
	}
	earlyBytes, err := buffers.Reader.Peek(buffers.Reader.Buffered())
	if err != nil && err != io.EOF {
		conn.Close()
		return nil, nil, err
	}
	SetSendBuffer(conn, u.options.SendBufferBytes) // an error only costs memory
	EnableKeepAlive(conn)                          // an error only delays the detection of a dead peer
	u.transport = newTransport(conn, bytes.Clone(earlyBytes), u.options)
	size := readBuffer
	if u.transport.inbound.receiver != nil {
		size = receiverReadBuffer
	}
	return u.transport, bufio.NewReadWriter(
		bufio.NewReaderSize(u.transport, size),
		bufio.NewWriterSize(u.transport, writeBuffer),
	), nil
}

// setErrorHeaders sets the headers of the answer to a request that the library did not upgrade,
// and returns the error for it.
func (u *upgradeWriter) setErrorHeaders() *UpgradeError {
	for _, name := range []string{"Connection", "Upgrade"} { // set for status 426
		if v := u.header.Get(name); v != "" {
			u.w.Header().Set(name, v)
		}
	}
	if u.status == http.StatusBadRequest {
		u.w.Header().Set("Sec-WebSocket-Version", "13")
	}
	return &UpgradeError{Status: u.status, Reason: strings.TrimSpace(u.reason.String())}
}

// hasAgreedCompression reports whether both ends agreed on permessage-deflate.
func (u *upgradeWriter) hasAgreedCompression() bool {
	return strings.HasPrefix(u.header.Get("Sec-WebSocket-Extensions"), "permessage-deflate")
}
