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

// client is a client under test, which does what the test says.
type client struct {
	t *testing.T
	l *sockettest.Listener
	c *websocket.Conn
}

// connects opens a socket, brings the token and takes the welcome.
func (c *client) connects() {
	c.opens("v1/anchor")
	c.says(`{"type":"auth","token":"secret"}`)
	c.hears("welcome")
}

func (c *client) opens(path string) { c.c = c.l.Dial(c.t, path, nil) }

func (c *client) says(m string) {
	c.t.Helper()
	if err := c.c.Write(c.t.Context(), websocket.MessageText, []byte(m)); err != nil {
		c.t.Error(err)
	}
}

// hears takes the next message, which is to contain some text.
func (c *client) hears(some string) {
	c.t.Helper()
	_, data, err := c.c.Read(c.t.Context())
	if err != nil || !strings.Contains(string(data), some) {
		c.t.Errorf("heard %s, %v, want %s", data, err, some)
	}
}

// closed takes the end of the socket.
func (c *client) closed(code websocket.StatusCode) {
	c.t.Helper()
	if _, data, err := c.c.Read(c.t.Context()); websocket.CloseStatus(err) != code {
		c.t.Errorf("heard %s, %v, want close code %d", data, err, code)
	}
}

const (
	welcome = `{"welcome":{"heartbeat_ms":1000,"missed_limit":3,"idle_ms":1000}}` + "\n" + `{"step":"s"}` + "\n"
	connect = welcome + `{"connect":true}` + "\n"
)

// play plays a script to a client in a bubble.
func play(t *testing.T, script string, does func(*client)) (out string, passed bool) {
	synctest.Test(t, func(t *testing.T) {
		s, err := ParseScript("anchor", []byte(script))
		if err != nil {
			t.Fatal(err)
		}
		l := sockettest.NewListener()
		go does(&client{t: t, l: l})
		var text strings.Builder
		if passed, err = NewPlayer(s, "secret", &text).Play(t.Context(), l); err != nil {
			t.Error(err)
		}
		out = text.String()
	})
	return out, passed
}

// TestPlayer: what each action lets pass, and what it does not.
func TestPlayer(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		does   func(*client)
		says   string // what is printed, as a regular expression; "": the step is passed
	}{
		"a token in a message": {connect + `{"quiet_ms":10}`, (*client).connects, ""},
		"a token in the header": {connect + `{"quiet_ms":10}`, func(c *client) {
			header := http.Header{"Authorization": {"Bearer secret"}}
			c.c = c.l.Dial(c.t, "v1/anchor", &websocket.DialOptions{HTTPHeader: header})
			c.hears(`"type":"welcome"`)
		}, ""},
		"another token":      {connect, func(c *client) { c.opens("v1/anchor"); c.says(`{"type":"auth","token":"x"}`) }, "before its token"},
		"no token":           {connect, func(c *client) { c.opens("v1/anchor") }, "no token within 5s"},
		"a token in the URL": {connect, func(c *client) { c.asks("v1/anchor?token=secret") }, "ends in logs"},
		"another path":       {connect, func(c *client) { c.asks("v1/streams") }, "GET /v1/streams"},
		"another subprotocol": {connect, func(c *client) {
			_, _, err := websocket.Dial(c.t.Context(), "ws://server/v1/anchor", &websocket.DialOptions{HTTPClient: c.l.Client(), Subprotocols: []string{"onair.v2"}})
			if err == nil {
				c.t.Error("it was let in")
			}
		}, "onair.v1"},
		"nobody":             {connect, func(*client) {}, "did not connect within 5s"},
		"a second auth":      {connect + `{"quiet_ms":100}`, func(c *client) { c.connects(); c.says(`{"type":"auth","token":"secret"}`) }, "was to be quiet"},
		"a binary message":   {connect + `{"quiet_ms":100}`, func(c *client) { c.connects(); c.c.Write(c.t.Context(), websocket.MessageBinary, nil) }, "binary"},
		"no valid message":   {connect + `{"quiet_ms":100}`, func(c *client) { c.connects(); c.says(`{"type":"start"}`) }, "no server takes"},
		"a message":          {connect + `{"expect":{"type":"start","title":"t","key":"*","tags":null}}`, func(c *client) { c.connects(); c.says(`{"type":"start","title":"t","key":"k"}`) }, ""},
		"another message":    {connect + `{"expect":{"type":"stop"}}`, func(c *client) { c.connects(); c.says(`{"type":"push"}`) }, `sent {"type":"push"} where {"type":"stop"}`},
		"no message":         {connect + `{"expect":{"type":"stop"},"within_ms":300}`, (*client).connects, "within 300ms"},
		"a message too soon": {connect + `{"expect":{"type":"stop"},"after_ms":300}`, func(c *client) { c.connects(); time.Sleep(200 * time.Millisecond); c.says(`{"type":"stop"}`) }, "80ms too soon"},
		"a message in time":  {connect + `{"expect":{"type":"stop"},"after_ms":300}`, func(c *client) { c.connects(); time.Sleep(300 * time.Millisecond); c.says(`{"type":"stop"}`) }, ""},
		"answers have the id": {connect + `{"expect":{"type":"stop"}}` + "\n" + `{"answer":{"type":"stopped","at":"$now"}}` + "\n" + `{"quiet_ms":10}`, func(c *client) {
			c.connects()
			c.says(`{"type":"stop","id":12345678901234567890}`)
			c.hears(`{"at":946684800000,"id":12345678901234567890,"type":"stopped"}`)
		}, ""},
		"the same key": {connect + strings.Repeat(`{"expect":{"type":"start","key":"$key"}}`+"\n", 2), func(c *client) {
			c.connects()
			c.says(`{"type":"start","title":"","key":"a"}`)
			c.says(`{"type":"start","title":"","key":"a"}`)
		}, ""},
		"another key": {connect + strings.Repeat(`{"expect":{"type":"start","key":"$key"}}`+"\n", 2), func(c *client) {
			c.connects()
			c.says(`{"type":"start","title":"","key":"a"}`)
			c.says(`{"type":"start","title":"","key":"b"}`)
		}, `"key":"b"`},
		"the same key for another start": {connect + `{"expect":{"key":"$key"}}` + "\n" + `{"expect":{"key":"*"},"unlike":{"key":"$key"}}`, func(c *client) {
			c.connects()
			c.says(`{"type":"start","title":"","key":"a"}`)
			c.says(`{"type":"start","title":"","key":"a"}`)
		}, "not to be like"},
		"beats on the interval": {connect + `{"acks":"held"}` + "\n" + `{"beats":2,"every_ms":1000}` + "\n" + `{"quiet_ms":10}`, func(c *client) {
			c.connects()
			for range 2 {
				time.Sleep(time.Second)
				c.says(`{"type":"beat","n":7}`)
				c.hears(`{"deadline_in_ms":3100,"held":true,"n":7,"server_time":`)
			}
		}, ""},
		"beats that rush":    {connect + `{"beats":2,"every_ms":1000}`, func(c *client) { c.connects(); c.says(`{"type":"beat","n":1}`); c.says(`{"type":"beat","n":2}`) }, "too soon"},
		"a beat and no more": {connect + `{"beats":2,"every_ms":1000}`, func(c *client) { c.connects(); c.says(`{"type":"beat","n":1}`) }, "within 1.5s"},
		"a beat after the end": {connect + `{"send":{"type":"ended"}}` + "\n" + `{"never":["beat"],"for_ms":3000}`, func(c *client) {
			c.connects()
			c.hears("ended")
			c.says(`{"type":"push"}`)
			time.Sleep(2 * time.Second)
			c.says(`{"type":"beat","n":1}`)
		}, "may not any more"},
		"a reconnect that may be": {connect + `{"close":4208}` + "\n" + `{"never":["beat"],"for_ms":3000}`, func(c *client) { c.connects(); c.closed(4208); c.connects() }, ""},
		"a reconnect after 4009":  {connect + `{"close":4009}` + "\n" + `{"quiet_ms":3000}`, func(c *client) { c.connects(); c.closed(4009); c.opens("v1/anchor") }, "connected where"},
		"none after 4009":         {connect + `{"close":4009}` + "\n" + `{"quiet_ms":3000}`, func(c *client) { c.connects(); c.closed(4009) }, ""},
		"a close too many":        {connect + `{"quiet_ms":3000}`, func(c *client) { c.connects(); c.c.Close(1000, "") }, "closed its connection"},
		"a reconnect too soon":    {connect + `{"close":4100}` + "\n" + `{"connect":true,"after_ms":500}`, func(c *client) { c.connects(); c.closed(4100); c.connectsOr() }, "too soon"},
		"a line is lost": {connect + `{"drop":true}` + "\n" + `{"expect":{"type":"stop"},"connects":true}`, func(c *client) {
			c.connects()
			c.closed(-1)
			c.connects()
			c.says(`{"type":"stop"}`)
		}, ""},
		"two sockets": {welcome + `{"connect":true,"as":"a"}` + "\n" + `{"connect":true}` + "\n" + `{"send":{"type":"probe"},"on":"a"}` + "\n" + `{"expect":{"type":"stop"},"on":"a"}`, func(c *client) {
			c.connects()
			first := *c
			c.connects()
			first.hears("probe")
			c.says(`{"type":"beat","n":1}`)
			first.says(`{"type":"stop"}`)
		}, ""},
		"what the user does, and sees": {welcome + `{"do":"start","how":"now"}` + "\n" + `{"show":["b","a"],"how":"so"}`, func(*client) {}, `do      start: now\nshow    b a: so\nok      s\nall 1 steps passed\n`},
		"what comes after a failure":   {connect + `{"step":"t"}`, func(*client) {}, `^failed  s: .*\nskipped t\n$`},
	} {
		t.Run(name, func(t *testing.T) {
			out, passed := play(t, c.script, c.does)
			want, ok := c.says, strings.Contains(c.says, "passed")
			if want == "" {
				want, ok = `^ok      s\nall 1 steps passed\n$`, true
			}
			if passed != ok || !regexp.MustCompile(want).MatchString(out) {
				t.Errorf("passed: %v, said %s, want %q", passed, out, c.says)
			}
		})
	}
}

// connectsOr connects, be it that the script is over by then.
func (c *client) connectsOr() {
	if conn, _, err := websocket.Dial(c.t.Context(), "ws://server/v1/anchor", &websocket.DialOptions{HTTPClient: c.l.Client()}); err == nil {
		c.t.Cleanup(func() { conn.CloseNow() })
	}
}

// asks sends a plain request, which is to be refused.
func (c *client) asks(path string) {
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, "http://server/"+path, nil)
	if err != nil {
		c.t.Error(err)
		return
	}
	if answer, err := c.l.Client().Do(r); err == nil {
		answer.Body.Close()
		if answer.StatusCode != http.StatusBadRequest {
			c.t.Errorf("%s: %s", path, answer.Status)
		}
	}
}

// TestPlayEnds: a player that is stopped says so.
func TestPlayEnds(t *testing.T) {
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
