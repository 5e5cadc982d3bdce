package socket

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
)

func TestSubprotocol(t *testing.T) {
	for _, test := range []struct {
		offer []string
		want  int
		got   string
	}{
		{nil, 101, ""},
		{[]string{"onair.v1"}, 101, "onair.v1"},
		{[]string{"graphql-ws", "onair.v1"}, 101, "onair.v1"},
		{[]string{"graphql-ws"}, 400, ""},
		{[]string{"onair.v2"}, 400, ""},
	} {
		dial(t, Options{}, &websocket.DialOptions{Subprotocols: test.offer}, test.want, test.got)
	}
}

func TestOrigin(t *testing.T) {
	for _, test := range []struct {
		origin   string
		patterns []string
		want     int
	}{
		{"", nil, 101},
		{"http://server", nil, 101},
		{"https://evil.example", nil, 403},
		{"https://app.example", []string{"app.example"}, 101},
		{"https://evil.example", []string{"app.example"}, 403},
		{"null", nil, 403},
	} {
		header := http.Header{}
		if test.origin != "" {
			header.Set("Origin", test.origin)
		}
		dial(t, Options{OriginPatterns: test.patterns}, &websocket.DialOptions{HTTPHeader: header}, test.want, "")
	}
}

// dial checks what a handshake is answered with.
func dial(t *testing.T, o Options, d *websocket.DialOptions, status int, subprotocol string) {
	t.Helper()
	s := newSite(t, o)
	d.HTTPClient = s.Client()
	c, response, err := websocket.Dial(t.Context(), "ws://server/", d)
	if response == nil || response.StatusCode != status {
		t.Fatalf("%+v: got %v (%v), want status %d", d, response, err, status)
	}
	if err == nil {
		defer c.CloseNow()
		if c.Subprotocol() != subprotocol {
			t.Errorf("got subprotocol %q, want %q", c.Subprotocol(), subprotocol)
		}
	}
}

func TestNoUpgradeAsked(t *testing.T) {
	s := newSite(t, Options{})
	response, err := s.Client().Get("http://server/")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusUpgradeRequired || response.Header.Get("Upgrade") != "websocket" {
		t.Errorf("got %s, Upgrade %q", response.Status, response.Header.Get("Upgrade"))
	}
}

func TestCompressionIsAgreedOn(t *testing.T) {
	for _, test := range []struct {
		options Options
		client  *websocket.DialOptions
		want    bool
	}{
		{Options{}, nil, false},
		{Options{}, deflating(), true},
		{Options{NoCompression: true}, deflating(), false},
	} {
		if c, _ := pair(t, test.options, test.client); c.IsCompressed() != test.want {
			t.Errorf("%+v: deflated %t, want %t", test.client, c.IsCompressed(), test.want)
		}
	}
}

// TestEarlyBytes sends frames right behind the handshake, cut in two at every
// place: net/http has read some of them before we have the connection.
func TestEarlyBytes(t *testing.T) {
	frames := append(text("first"), text("second")...)
	for cut := range len(frames) + 1 {
		synctest.Test(t, func(t *testing.T) {
			c, client := rawPair(t, Options{}, frames[:cut])
			client.start(func() {
				time.Sleep(time.Second)
				client.send(frames[cut:])
				client.send(text("third"))
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
