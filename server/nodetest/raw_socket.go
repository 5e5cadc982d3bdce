package nodetest

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/coder/websocket"
)

// RawSocket is a connection for invalid HTTP and WebSocket data. It has no goroutine.
type RawSocket struct {
	net.Conn
	Reader *bufio.Reader
}

// NewRawSocket returns a raw socket on a connection.
func NewRawSocket(conn net.Conn) *RawSocket { return &RawSocket{conn, bufio.NewReaderSize(conn, 256)} }

// SendRequest sends the handshake request of a WebSocket.
func (c *RawSocket) SendRequest(path string, headers ...string) error {
	lines := append([]string{
		"GET " + path + " HTTP/1.1", "Host: server", "Connection: Upgrade", "Upgrade: websocket",
		"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
	}, headers...)
	_, err := io.WriteString(c, strings.Join(lines, "\r\n")+"\r\n\r\n")
	return err
}

// ReadStatus reads the header of a response, and returns its status.
func (c *RawSocket) ReadStatus() (status int, err error) {
	line, err := c.Reader.ReadString('\n')
	if err != nil {
		return 0, err
	}
	if _, err := fmt.Sscanf(line, "HTTP/1.1 %d", &status); err != nil {
		return 0, fmt.Errorf("%q: %w", line, err)
	}
	for line != "\r\n" {
		if line, err = c.Reader.ReadString('\n'); err != nil {
			return 0, err
		}
	}
	return status, nil
}

// Upgrade performs the handshake of a WebSocket.
func (c *RawSocket) Upgrade(path string, headers ...string) error {
	if err := c.SendRequest(path, headers...); err != nil {
		return err
	}
	status, err := c.ReadStatus()
	if err == nil && status != 101 {
		err = fmt.Errorf("HTTP %d", status)
	}
	return err
}

// ReadFrame reads one frame, and returns its first byte and its payload.
func (c *RawSocket) ReadFrame() (firstByte byte, payload []byte, err error) {
	var head [10]byte
	if _, err := io.ReadFull(c.Reader, head[:2]); err != nil {
		return 0, nil, err
	}
	n := uint64(head[1])
	switch n {
	case 126:
		_, err = io.ReadFull(c.Reader, head[2:4])
		n = uint64(binary.BigEndian.Uint16(head[2:]))
	case 127:
		_, err = io.ReadFull(c.Reader, head[2:10])
		n = binary.BigEndian.Uint64(head[2:])
	}
	if err == nil {
		payload = make([]byte, n)
		_, err = io.ReadFull(c.Reader, payload)
	}
	return head[0], payload, err
}

// AwaitClose reads until the server closes the socket, and returns the code.
func (c *RawSocket) AwaitClose() (websocket.StatusCode, error) {
	for {
		first, payload, err := c.ReadFrame()
		if err != nil {
			return -1, err
		}
		if first&0xf == OpClose && len(payload) >= 2 {
			return websocket.StatusCode(binary.BigEndian.Uint16(payload)), nil
		}
	}
}

// MaskedFrame returns a client's frame, with the mask 0.
func MaskedFrame(firstByte byte, payload string) []byte {
	f := []byte{firstByte}
	switch n := len(payload); {
	case n < 126:
		f = append(f, 0x80|byte(n))
	case n < 1<<16:
		f = binary.BigEndian.AppendUint16(append(f, 0x80|126), uint16(n))
	default:
		f = binary.BigEndian.AppendUint64(append(f, 0x80|127), uint64(n))
	}
	return append(append(f, 0, 0, 0, 0), payload...)
}

// CloseWithReset closes a TCP connection with a reset.
func (c *RawSocket) CloseWithReset() error {
	if err := c.Conn.(*net.TCPConn).SetLinger(0); err != nil {
		return err
	}
	return c.Close()
}

// First bytes of frames, or parts of them.
const (
	FinalFrame = 0x80
	OpText     = 0x1
	OpClose    = 0x8
	OpPing     = 0x9
)

// DialRaw opens a connection to the server without a handshake.
func DialRaw(s *Server) *RawSocket {
	s.T.Helper()
	conn, err := s.Public.DialContext(s.T.Context(), "", "")
	if err != nil {
		s.T.Fatal(err)
	}
	s.T.Cleanup(func() { conn.Close() })
	return NewRawSocket(conn)
}
