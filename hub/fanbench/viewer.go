//go:build linux

package main

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// viewer is the client's end of one socket. It knows of WebSockets just what it
// needs to tell whole frames apart.
type viewer struct {
	fd    int
	phase phase
	heard bool // something of the answer to the handshake
	match int  // of headEnd in it

	head [10]byte // of a frame, as far as it has come
	have int
	left uint64 // payload that is to come

	epoch int // the last in which a frame came
	still bool
}

type phase uint8

// What a viewer waits for.
const (
	upgrading phase = iota
	open
	gone
)

const (
	upgrade = "GET / HTTP/1.1\r\nHost: fanbench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	switching = "HTTP/1.1 101 "
	headEnd   = "\r\n\r\n"
)

// connect opens a connection and asks for a WebSocket. Sources are spread over
// addresses, because one has some 28,000 ports.
func connect(i int, to *unix.SockaddrInet4, buffer int) (fd int, err error) {
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
	if buffer > 0 {
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, buffer)
	}
	// A reset leaves no socket in TIME_WAIT, of which there would be too many.
	unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(1 + i%4)}}); err != nil {
		return -1, err
	}
	if err = unix.Connect(fd, to); err != nil {
		return -1, err
	}
	if _, err = unix.Write(fd, []byte(upgrade)); err != nil {
		return -1, err
	}
	return fd, unix.SetNonblock(fd, true)
}

// text masks a client's text frame, by zero.
func text(payload []byte) []byte {
	f := []byte{0x81, 0x80 | byte(len(payload)), 0, 0, 0, 0}
	if len(payload) > 125 {
		f = append(binary.BigEndian.AppendUint16([]byte{0x81, 0x80 | 126}, uint16(len(payload))), 0, 0, 0, 0)
	}
	return append(f, payload...)
}

// upgraded consumes the answer to the handshake, and returns what follows it.
func (v *viewer) upgraded(p []byte) ([]byte, error) {
	if n := min(len(p), len(switching)); !v.heard && string(p[:n]) != switching[:n] {
		return nil, fmt.Errorf("handshake refused: %.80q", p)
	}
	v.heard = v.heard || len(p) > 0
	for i, b := range p {
		switch {
		case b == headEnd[v.match]:
			v.match++
		case b == headEnd[0]:
			v.match = 1
		default:
			v.match = 0
		}
		if v.match == len(headEnd) {
			v.phase = open
			return p[i+1:], nil
		}
	}
	return nil, nil
}

var errFrame = errors.New("a frame that a server does not send")

// frames calls whole for each text frame that ends in p: with its bytes if all
// of them are in p, else with nil.
func (v *viewer) frames(p []byte, whole func(*viewer, []byte)) error {
	for i, start := 0, 0; i < len(p); {
		if v.left == 0 {
			if v.have == 0 {
				start = i
			}
			v.head[v.have] = p[i]
			v.have++
			i++
			complete, err := v.header()
			if err != nil {
				return err
			}
			if !complete {
				continue
			}
		}
		n := min(v.left, uint64(len(p)-i))
		v.left -= n
		i += int(n)
		if v.left > 0 {
			continue
		}
		isText, size := v.head[0] == 0x81, v.have+int(v.length())
		v.have = 0
		switch {
		case !isText:
		case i-start == size:
			whole(v, p[start:i])
		default:
			whole(v, nil)
		}
		start = i
	}
	return nil
}

// header looks at what has come of a frame's header. Once that is all, left is
// the length of the payload.
func (v *viewer) header() (complete bool, err error) {
	switch {
	case v.have == 1 && v.head[0] != 0x81 && v.head[0]&0xf8 != 0x88:
		return false, fmt.Errorf("%w: %#x", errFrame, v.head[0])
	case v.have < 2:
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
	if v.have < size {
		return false, nil
	}
	v.left = v.length()
	return true, nil
}

func (v *viewer) length() uint64 {
	switch v.head[1] {
	case 126:
		return uint64(binary.BigEndian.Uint16(v.head[2:]))
	case 127:
		return binary.BigEndian.Uint64(v.head[2:])
	default:
		return uint64(v.head[1])
	}
}
