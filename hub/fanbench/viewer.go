//go:build linux

package main

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// viewer is the client's end of one socket. It parses just enough of WebSocket to
// find the bounds of frames.
type viewer struct {
	fd             int
	state          viewerState
	hasStatus      bool // the answer to the handshake has begun
	headEndMatched int  // bytes of headEnd at the end of it so far

	head        [10]byte // of the current frame
	headerLen   int      // bytes of head so far
	payloadLeft uint64   // bytes of payload to come

	lastRound int  // see frameCounts.round
	isSlow    bool // does not read, or reads at a rate
}

type viewerState uint8

const (
	stateUpgrading viewerState = iota // waits for the answer to the handshake
	stateOpen
	stateGone
)

const (
	upgradeRequest = "GET / HTTP/1.1\r\nHost: fanbench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	statusSwitching = "HTTP/1.1 101 "
	headEnd         = "\r\n\r\n"
)

// dialAndRequestUpgrade opens a connection and requests an upgrade to WebSocket.
// Connections come from several addresses, because one has some 28,000 ports.
func dialAndRequestUpgrade(i int, address *unix.SockaddrInet4, receiveBuffer int) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer func() {
		if err != nil {
			unix.Close(fd)
		}
	}()
	unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	if receiveBuffer > 0 {
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
	}
	// Reset at close: otherwise too many sockets would be in TIME_WAIT.
	unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(1 + i%4)}}); err != nil {
		return -1, err
	}
	if err = unix.Connect(fd, address); err != nil {
		return -1, err
	}
	if _, err = unix.Write(fd, []byte(upgradeRequest)); err != nil {
		return -1, err
	}
	return fd, unix.SetNonblock(fd, true)
}

// answerPing sends a pong, masked with zero. An error shows at the next read.
func (v *viewer) answerPing(payload []byte) {
	_, _ = unix.Write(v.fd, append([]byte{0x8a, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...))
}

// maskedTextFrame is a client's text frame, masked with zero.
func maskedTextFrame(payload []byte) []byte {
	f := []byte{0x81, 0x80 | byte(len(payload)), 0, 0, 0, 0}
	if len(payload) > 125 {
		f = append(binary.BigEndian.AppendUint16([]byte{0x81, 0x80 | 126}, uint16(len(payload))), 0, 0, 0, 0)
	}
	return append(f, payload...)
}

// consumeHandshake consumes the answer to the handshake, and returns the bytes
// after it.
func (v *viewer) consumeHandshake(p []byte) (rest []byte, err error) {
	if n := min(len(p), len(statusSwitching)); !v.hasStatus && string(p[:n]) != statusSwitching[:n] {
		return nil, fmt.Errorf("handshake refused: %.80q", p)
	}
	v.hasStatus = v.hasStatus || len(p) > 0
	for i, b := range p {
		switch {
		case b == headEnd[v.headEndMatched]:
			v.headEndMatched++
		case b == headEnd[0]:
			v.headEndMatched = 1
		default:
			v.headEndMatched = 0
		}
		if v.headEndMatched == len(headEnd) {
			v.state = stateOpen
			return p[i+1:], nil
		}
	}
	return nil, nil
}

var errFrame = errors.New("invalid frame of a server")

// consumeFrames calls onText for each text frame that ends in p: with its bytes if
// p has all of them, else with nil. It calls onPing for each ping with at most one byte of
// payload, as the server's are.
func (v *viewer) consumeFrames(p []byte, onText func(v *viewer, frame []byte), onPing func(payload []byte)) error {
	for i, start := 0, 0; i < len(p); {
		if v.payloadLeft == 0 {
			if v.headerLen == 0 {
				start = i
			}
			v.head[v.headerLen] = p[i]
			v.headerLen++
			i++
			isComplete, err := v.parseHeader()
			if err != nil {
				return err
			}
			if !isComplete {
				continue
			}
		}
		n := min(v.payloadLeft, uint64(len(p)-i))
		v.payloadLeft -= n
		i += int(n)
		if v.payloadLeft > 0 {
			continue
		}
		isText, size := v.head[0] == 0x81, v.headerLen+int(v.payloadLen())
		v.headerLen = 0
		switch {
		case v.head[0] == 0x89 && v.payloadLen() <= 1:
			onPing(p[i-int(v.payloadLen()) : i])
		case !isText:
		case i-start == size:
			onText(v, p[start:i])
		default:
			onText(v, nil)
		}
		start = i
	}
	return nil
}

// parseHeader parses the current frame's header. Once it is complete, it sets
// payloadLeft.
func (v *viewer) parseHeader() (isComplete bool, err error) {
	switch {
	case v.headerLen == 1 && v.head[0] != 0x81 && v.head[0]&0xf8 != 0x88:
		return false, fmt.Errorf("%w: %#x", errFrame, v.head[0])
	case v.headerLen < 2:
		return false, nil
	case v.head[1]&0x80 != 0:
		return false, fmt.Errorf("%w: masked", errFrame)
	}
	size := 2
	switch v.head[1] {
	case 126:
		size = 4
	case 127:
		size = 10
	}
	if v.headerLen < size {
		return false, nil
	}
	v.payloadLeft = v.payloadLen()
	return true, nil
}

func (v *viewer) payloadLen() uint64 {
	switch v.head[1] {
	case 126:
		return uint64(binary.BigEndian.Uint16(v.head[2:]))
	case 127:
		return binary.BigEndian.Uint64(v.head[2:])
	default:
		return uint64(v.head[1])
	}
}
