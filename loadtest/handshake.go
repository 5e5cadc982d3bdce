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

// maxHandshakeResponse is the longest accepted response, in bytes.
const maxHandshakeResponse = 16 << 10

// handshake is the request of all viewers to a node. Only the key differs.
type handshake struct {
	beforeKey, afterKey string // parts of the request
	asksForDeflate      bool
}

func newHandshake(host, path, token string, asksForDeflate bool) *handshake {
	var b strings.Builder
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n", path, host)
	fmt.Fprintf(&b, "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: %s\r\n", wire.Subprotocol)
	if asksForDeflate {
		b.WriteString("Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; server_no_context_takeover\r\n")
	}
	if token != "" {
		fmt.Fprintf(&b, "Authorization: Bearer %s\r\n", token)
	}
	b.WriteString("Sec-WebSocket-Key: ")
	return &handshake{beforeKey: b.String(), afterKey: "\r\n\r\n", asksForDeflate: asksForDeflate}
}

// appendRequest appends the request with the key of nonce.
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

// refusedError is returned when a server answers a handshake with another status.
type refusedError struct{ status int }

// Error implements error.
func (e *refusedError) Error() string { return fmt.Sprintf("refused with HTTP %d", e.status) }

// parseAndCheckResponse parses the response to the request with nonce, of consumed bytes; 0
// while some are missing. It returns a refusedError for any status but 101.
func (h *handshake) parseAndCheckResponse(data []byte, nonce uint64) (consumed int, err error) {
	end := bytes.Index(data, []byte("\r\n\r\n"))
	if end < 0 {
		if len(data) > maxHandshakeResponse {
			return 0, fmt.Errorf("a handshake response of more than %d bytes", maxHandshakeResponse)
		}
		return 0, nil
	}
	consumed = end + 4
	res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(data[:consumed])), nil)
	if err != nil {
		return 0, err
	}
	res.Body.Close()
	isDeflate := res.Header.Get("Sec-WebSocket-Extensions") != ""
	switch {
	case res.StatusCode != http.StatusSwitchingProtocols:
		return 0, &refusedError{res.StatusCode}
	case res.Header.Get("Sec-WebSocket-Accept") != acceptKey(nonce):
		return 0, errors.New("a handshake response to another key")
	case res.Header.Get("Sec-WebSocket-Protocol") != wire.Subprotocol:
		return 0, errors.New("a handshake response without the subprotocol")
	case isDeflate != h.asksForDeflate:
		return 0, errors.New("a handshake response with other extensions than the request")
	}
	return consumed, nil
}
