package main

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"onair/hub/wire"
)

// maxResponse is the longest answer to a handshake that is taken.
const maxResponse = 16 << 10

// handshake is what all viewers ask a server with; only the key differs.
type handshake struct {
	beforeKey, afterKey string // the key
	deflate             bool
}

func newHandshake(host, path, token string, deflate bool) *handshake {
	var b strings.Builder
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n", path, host)
	fmt.Fprintf(&b, "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: %s\r\n", wire.Subprotocol)
	if deflate {
		b.WriteString("Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; server_no_context_takeover\r\n")
	}
	if token != "" {
		fmt.Fprintf(&b, "Authorization: Bearer %s\r\n", token)
	}
	b.WriteString("Sec-WebSocket-Key: ")
	return &handshake{beforeKey: b.String(), afterKey: "\r\n\r\n", deflate: deflate}
}

// appendRequest appends the request, with a key made of nonce.
func (h *handshake) appendRequest(dst []byte, nonce uint64) []byte {
	return append(append(append(dst, h.beforeKey...), handshakeKey(nonce)...), h.afterKey...)
}

func handshakeKey(nonce uint64) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(make([]byte, 8, 16), nonce))
}

func acceptKey(nonce uint64) string {
	sum := sha1.Sum([]byte(handshakeKey(nonce) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// refusedError is a server that answered something else than a socket.
type refusedError struct{ status int }

func (e *refusedError) Error() string { return fmt.Sprintf("refused with HTTP %d", e.status) }

// parseResponse reads the server's answer and tells how many bytes it took: 0 while
// some are missing.
func (h *handshake) parseResponse(data []byte, nonce uint64) (n int, err error) {
	end := bytes.Index(data, []byte("\r\n\r\n"))
	if end < 0 {
		if len(data) > maxResponse {
			return 0, errors.New("an endless answer to the handshake")
		}
		return 0, nil
	}
	n = end + 4
	res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(data[:n])), nil)
	if err != nil {
		return 0, err
	}
	res.Body.Close()
	deflated := res.Header.Get("Sec-WebSocket-Extensions") != ""
	switch {
	case res.StatusCode != http.StatusSwitchingProtocols:
		return 0, &refusedError{res.StatusCode}
	case res.Header.Get("Sec-WebSocket-Accept") != acceptKey(nonce):
		return 0, errors.New("a handshake that was answered with another key")
	case res.Header.Get("Sec-WebSocket-Protocol") != wire.Subprotocol:
		return 0, errors.New("a handshake without the subprotocol")
	case deflated != h.deflate:
		return 0, errors.New("a handshake with other extensions than were asked for")
	}
	return n, nil
}
