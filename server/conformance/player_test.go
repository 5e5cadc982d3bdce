package conformance

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"onair/hub/socket/sockettest"
)

// client is a scripted client under test.
type client struct {
	t        *testing.T
	listener *sockettest.Listener
	conn     *websocket.Conn
}

// connect opens a socket, sends the token and receives the welcome.
func (c *client) connect() {
	c.open("v1/anchor")
	c.send(`{"type":"auth","token":"secret"}`)
	c.receive("welcome")
}

func (c *client) open(path string) { c.conn = c.listener.Dial(c.t, path, nil) }

func (c *client) send(m string) {
	c.t.Helper()
	if err := c.conn.Write(c.t.Context(), websocket.MessageText, []byte(m)); err != nil {
		c.t.Error(err)
	}
}

// receive receives the next message, which must contain a text.
func (c *client) receive(want string) {
	c.t.Helper()
	_, data, err := c.conn.Read(c.t.Context())
	if err != nil || !strings.Contains(string(data), want) {
		c.t.Errorf("received %s, %v, want %s", data, err, want)
	}
}

// receiveClose receives the close of the socket.
func (c *client) receiveClose(code websocket.StatusCode) {
	c.t.Helper()
	if _, data, err := c.conn.Read(c.t.Context()); websocket.CloseStatus(err) != code {
		c.t.Errorf("received %s, %v, want close code %d", data, err, code)
	}
}

const (
	welcome = `{"welcome":{"heartbeat_ms":1000,"missed_limit":3,"idle_ms":1000}}` + "\n" + `{"step":"s"}` + "\n"
	connect = welcome + `{"connect":true}` + "\n"
)

// playScript plays a script to a client in a synctest bubble.
func playScript(t *testing.T, script string, runClient func(*client)) (out string, passed bool) {
	synctest.Test(t, func(t *testing.T) {
		s, err := ParseScript("anchor", []byte(script))
		if err != nil {
			t.Fatal(err)
		}
		l := sockettest.NewListener()
		go runClient(&client{t: t, listener: l})
		var text strings.Builder
		if passed, err = NewPlayer(s, "secret", &text).Play(t.Context(), l); err != nil {
			t.Error(err)
		}
		out = text.String()
	})
	return out, passed
}

// TestPlayer checks for each action a client that passes it and clients that fail it.
func TestPlayer(t *testing.T) {
	for name, c := range map[string]struct {
		script    string
		runClient func(*client)
		wantOut   string // a regular expression; empty: the step passes
	}{
		"a token in a message": {connect + `{"quiet_ms":10}`, (*client).connect, ""},
		"a token in the header": {connect + `{"quiet_ms":10}`, func(c *client) {
			header := http.Header{"Authorization": {"Bearer secret"}}
			c.conn = c.listener.Dial(c.t, "v1/anchor", &websocket.DialOptions{HTTPHeader: header})
			c.receive(`"type":"welcome"`)
		}, ""},
		"another token":      {connect, func(c *client) { c.open("v1/anchor"); c.send(`{"type":"auth","token":"x"}`) }, "before its token"},
		"no token":           {connect, func(c *client) { c.open("v1/anchor") }, "no token within 5s"},
		"a token in the URL": {connect, func(c *client) { c.request("v1/anchor?token=secret") }, "logs would contain the token"},
		"another path":       {connect, func(c *client) { c.request("v1/streams") }, "GET /v1/streams"},
		"another subprotocol": {connect, func(c *client) {
			_, _, err := websocket.Dial(c.t.Context(), "ws://server/v1/anchor", &websocket.DialOptions{HTTPClient: c.listener.Client(), Subprotocols: []string{"onair.v2"}})
			if err == nil {
				c.t.Error("the socket was accepted")
			}
		}, "onair.v1"},
		"no client":          {connect, func(*client) {}, "did not connect within 5s"},
		"a second auth":      {connect + `{"quiet_ms":100}`, func(c *client) { c.connect(); c.send(`{"type":"auth","token":"secret"}`) }, "must be quiet"},
		"a binary message":   {connect + `{"quiet_ms":100}`, func(c *client) { c.connect(); c.conn.Write(c.t.Context(), websocket.MessageBinary, nil) }, "binary"},
		"an invalid message": {connect + `{"quiet_ms":100}`, func(c *client) { c.connect(); c.send(`{"type":"start"}`) }, "servers reject"},
		"a message":          {connect + `{"expect":{"type":"start","title":"t","key":"*","tags":null}}`, func(c *client) { c.connect(); c.send(`{"type":"start","title":"t","key":"k"}`) }, ""},
		"another message":    {connect + `{"expect":{"type":"stop"}}`, func(c *client) { c.connect(); c.send(`{"type":"push"}`) }, `sent {"type":"push"} instead of {"type":"stop"}`},
		"no message":         {connect + `{"expect":{"type":"stop"},"within_ms":300}`, (*client).connect, "within 300ms"},
		"a message too soon": {connect + `{"expect":{"type":"stop"},"after_ms":300}`, func(c *client) { c.connect(); time.Sleep(200 * time.Millisecond); c.send(`{"type":"stop"}`) }, "80ms too soon"},
		"a message in time":  {connect + `{"expect":{"type":"stop"},"after_ms":300}`, func(c *client) { c.connect(); time.Sleep(300 * time.Millisecond); c.send(`{"type":"stop"}`) }, ""},
		"answers have the id": {connect + `{"expect":{"type":"stop"}}` + "\n" + `{"answer":{"type":"stopped","at":"$now"}}` + "\n" + `{"quiet_ms":10}`, func(c *client) {
			c.connect()
			c.send(`{"type":"stop","id":12345678901234567890}`)
			c.receive(`{"at":946684800000,"id":12345678901234567890,"type":"stopped"}`)
		}, ""},
		"the same key": {connect + strings.Repeat(`{"expect":{"type":"start","key":"$key"}}`+"\n", 2), func(c *client) {
			c.connect()
			c.send(`{"type":"start","title":"","key":"a"}`)
			c.send(`{"type":"start","title":"","key":"a"}`)
		}, ""},
		"another key": {connect + strings.Repeat(`{"expect":{"type":"start","key":"$key"}}`+"\n", 2), func(c *client) {
			c.connect()
			c.send(`{"type":"start","title":"","key":"a"}`)
			c.send(`{"type":"start","title":"","key":"b"}`)
		}, `"key":"b"`},
		"the same key for another start": {connect + `{"expect":{"key":"$key"}}` + "\n" + `{"expect":{"key":"*"},"unlike":{"key":"$key"}}`, func(c *client) {
			c.connect()
			c.send(`{"type":"start","title":"","key":"a"}`)
			c.send(`{"type":"start","title":"","key":"a"}`)
		}, "must not be like"},
		"beats on the interval": {connect + `{"acks":"held"}` + "\n" + `{"beats":2,"every_ms":1000}` + "\n" + `{"quiet_ms":10}`, func(c *client) {
			c.connect()
			for range 2 {
				time.Sleep(time.Second)
				c.send(`{"type":"beat","n":7}`)
				c.receive(`{"deadline_in_ms":3100,"held":true,"n":7,"server_time":`)
			}
		}, ""},
		"beats too soon": {connect + `{"beats":2,"every_ms":1000}`, func(c *client) { c.connect(); c.send(`{"type":"beat","n":1}`); c.send(`{"type":"beat","n":2}`) }, "too soon"},
		"too few beats":  {connect + `{"beats":2,"every_ms":1000}`, func(c *client) { c.connect(); c.send(`{"type":"beat","n":1}`) }, "within 1.5s"},
		"a beat after the end": {connect + `{"send":{"type":"ended"}}` + "\n" + `{"never":["beat"],"for_ms":3000}`, func(c *client) {
			c.connect()
			c.receive("ended")
			c.send(`{"type":"push"}`)
			time.Sleep(2 * time.Second)
			c.send(`{"type":"beat","n":1}`)
		}, "forbidden now"},
		"a permitted reconnect":  {connect + `{"close":4208}` + "\n" + `{"never":["beat"],"for_ms":3000}`, func(c *client) { c.connect(); c.receiveClose(4208); c.connect() }, ""},
		"a reconnect after 4009": {connect + `{"close":4009}` + "\n" + `{"quiet_ms":3000}`, func(c *client) { c.connect(); c.receiveClose(4009); c.open("v1/anchor") }, "connected but"},
		"none after 4009":        {connect + `{"close":4009}` + "\n" + `{"quiet_ms":3000}`, func(c *client) { c.connect(); c.receiveClose(4009) }, ""},
		"an unexpected close":    {connect + `{"quiet_ms":3000}`, func(c *client) { c.connect(); c.conn.Close(1000, "") }, "closed its connection"},
		"a reconnect too soon":   {connect + `{"close":4100}` + "\n" + `{"connect":true,"after_ms":500}`, func(c *client) { c.connect(); c.receiveClose(4100); c.tryConnect() }, "too soon"},
		"a dropped connection": {connect + `{"drop":true}` + "\n" + `{"expect":{"type":"stop"},"connects":true}`, func(c *client) {
			c.connect()
			c.receiveClose(-1)
			c.connect()
			c.send(`{"type":"stop"}`)
		}, ""},
		"two sockets": {welcome + `{"connect":true,"as":"a"}` + "\n" + `{"connect":true}` + "\n" + `{"send":{"type":"probe"},"on":"a"}` + "\n" + `{"expect":{"type":"stop"},"on":"a"}`, func(c *client) {
			c.connect()
			first := *c
			c.connect()
			first.receive("probe")
			c.send(`{"type":"beat","n":1}`)
			first.send(`{"type":"stop"}`)
		}, ""},
		"instructions for the tester": {welcome + `{"do":"start","how":"now"}` + "\n" + `{"show":["b","a"],"how":"so"}`, func(*client) {}, `do      start: now\nshow    b a: so\nok      s\nall 1 steps passed\n`},
		"steps after a failure":       {connect + `{"step":"t"}`, func(*client) {}, `^failed  s: .*\nskipped t\n$`},
	} {
		t.Run(name, func(t *testing.T) {
			out, passed := playScript(t, c.script, c.runClient)
			want, ok := c.wantOut, strings.Contains(c.wantOut, "passed")
			if want == "" {
				want, ok = `^ok      s\nall 1 steps passed\n$`, true
			}
			if passed != ok || !regexp.MustCompile(want).MatchString(out) {
				t.Errorf("passed: %v, output %s, want %q", passed, out, c.wantOut)
			}
		})
	}
}

// tryConnect connects if the script has not ended before.
func (c *client) tryConnect() {
	if conn, _, err := websocket.Dial(c.t.Context(), "ws://server/v1/anchor", &websocket.DialOptions{HTTPClient: c.listener.Client()}); err == nil {
		c.t.Cleanup(func() { conn.CloseNow() })
	}
}

// request sends a plain HTTP request, which must get status 400.
func (c *client) request(path string) {
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, "http://server/"+path, nil)
	if err != nil {
		c.t.Error(err)
		return
	}
	if resp, err := c.listener.Client().Do(r); err == nil {
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			c.t.Errorf("%s: %s", path, resp.Status)
		}
	}
}

// TestPlayReturnsContextError when its context ends.
func TestPlayReturnsContextError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := EmbeddedScript("anchor")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if passed, err := NewPlayer(s, "secret", io.Discard).Play(ctx, sockettest.NewListener()); passed || err != context.DeadlineExceeded {
			t.Errorf("%v, %v", passed, err)
		}
	})
}
