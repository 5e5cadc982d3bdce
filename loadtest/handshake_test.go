package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"testing"
)

func TestHandshakeRequest(t *testing.T) {
	h := newHandshake("example.com:80", "/v1/viewer", "token", true)
	req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(h.appendRequest(nil, 7))))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-Websocket-Version": "13", "Sec-Websocket-Key": handshakeKey(7),
		"Sec-Websocket-Protocol": "onair.v1", "Authorization": "Bearer token",
	} {
		if got := req.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if req.Host != "example.com:80" || req.URL.Path != "/v1/viewer" {
		t.Errorf("requests %s of %s", req.URL, req.Host)
	}
}

func TestHandshakeResponse(t *testing.T) {
	response := func(status, accept, protocol, more string) string {
		return fmt.Sprintf("HTTP/1.1 %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: %s\r\n%s\r\n",
			status, accept, protocol, more)
	}
	const switching = "101 Switching Protocols"
	h := newHandshake("h", "/", "", false)
	good := response(switching, acceptKey(7), "onair.v1", "")
	if n, err := h.parseAndCheckResponse([]byte(good+"frame"), 7); n != len(good) || err != nil {
		t.Errorf("a good response: parsed %d of %d bytes, %v", n, len(good), err)
	}
	for cut := range good {
		if n, err := h.parseAndCheckResponse([]byte(good[:cut]), 7); n != 0 || err != nil {
			t.Fatalf("cut at %d: parsed %d, %v", cut, n, err)
		}
	}
	for name, bad := range map[string]string{
		"another key":     response(switching, acceptKey(8), "onair.v1", ""),
		"no subprotocol":  response(switching, acceptKey(7), "", ""),
		"unasked deflate": response(switching, acceptKey(7), "onair.v1", "Sec-WebSocket-Extensions: permessage-deflate\r\n"),
		"no HTTP":         "hello\r\n\r\n",
		"too long":        string(make([]byte, maxHandshakeResponse+1)),
	} {
		if _, err := h.parseAndCheckResponse([]byte(bad), 7); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	_, err := h.parseAndCheckResponse([]byte("HTTP/1.1 503 Service Unavailable\r\n\r\n"), 7)
	if refused, ok := errors.AsType[*refusedError](err); !ok || refused.status != 503 {
		t.Errorf("503 gives %v", err)
	}
}
