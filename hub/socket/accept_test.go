package socket

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
)

func TestAcceptChecksSubprotocol(t *testing.T) {
	for _, test := range []struct {
		offer      []string
		wantStatus int
		want       string
	}{
		{nil, 101, ""},
		{[]string{"onair.v1"}, 101, "onair.v1"},
		{[]string{"graphql-ws", "onair.v1"}, 101, "onair.v1"},
		{[]string{"graphql-ws"}, 400, ""},
		{[]string{"onair.v2"}, 400, ""},
	} {
		checkHandshake(t, Options{}, &websocket.DialOptions{Subprotocols: test.offer}, test.wantStatus, test.want)
	}
}

func TestAcceptChecksOrigin(t *testing.T) {
	for _, test := range []struct {
		origin    string
		isAllowed bool
		want      int
	}{
		{"", false, 101},
		{"http://server", false, 101},
		{"https://evil.example", false, 403},
		{"https://app.example", true, 101},
		{"null", true, 101},
		{"null", false, 403},
	} {
		header := http.Header{}
		if test.origin != "" {
			header.Set("Origin", test.origin)
		}
		checkHandshake(t, Options{AllowForeignOrigin: test.isAllowed}, &websocket.DialOptions{HTTPHeader: header}, test.want, "")
	}
}

// checkHandshake checks the answer to a handshake.
func checkHandshake(t *testing.T, o Options, d *websocket.DialOptions, wantStatus int, wantSubprotocol string) {
	t.Helper()
	s := newTestServer(t, o)
	d.HTTPClient = s.Client()
	c, response, err := websocket.Dial(t.Context(), "ws://server/", d)
	if response == nil || response.StatusCode != wantStatus {
		t.Fatalf("%+v: got %v (%v), want status %d", d, response, err, wantStatus)
	}
	if err == nil {
		defer c.CloseNow()
		if c.Subprotocol() != wantSubprotocol {
			t.Errorf("got subprotocol %q, want %q", c.Subprotocol(), wantSubprotocol)
		}
	}
}

func TestAcceptRefusesRequestWithoutUpgrade(t *testing.T) {
	s := newTestServer(t, Options{})
	response, err := s.Client().Get("http://server/")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusUpgradeRequired || response.Header.Get("Upgrade") != "websocket" {
		t.Errorf("got %s, Upgrade %q", response.Status, response.Header.Get("Upgrade"))
	}
}

func TestAcceptNegotiatesCompression(t *testing.T) {
	for _, test := range []struct {
		options Options
		client  *websocket.DialOptions
		want    bool
	}{
		{Options{}, nil, false},
		{Options{}, compressionOptions(), true},
		{Options{NoCompression: true}, compressionOptions(), false},
	} {
		if c, _ := connPair(t, test.options, test.client); c.IsCompressed() != test.want {
			t.Errorf("%+v: compressed %t, want %t", test.client, c.IsCompressed(), test.want)
		}
	}
}

// TestReadReturnsEarlyBytes sends frames right after the handshake, cut in two at
// every position. net/http reads the first part before Accept has the connection.
func TestReadReturnsEarlyBytes(t *testing.T) {
	frames := append(textFrame("first"), textFrame("second")...)
	for cut := range len(frames) + 1 {
		synctest.Test(t, func(t *testing.T) {
			c, client := rawClientPair(t, Options{}, frames[:cut])
			client.goUntilClosed(func() {
				time.Sleep(time.Second)
				client.send(frames[cut:])
				client.send(textFrame("third"))
			})
			for _, want := range []string{"first", "second", "third"} {
				got, err := c.Read(context.Background())
				if err != nil || string(got) != want {
					t.Fatalf("cut at %d: got %q, %v, want %q", cut, got, err, want)
				}
			}
		})
	}
}
