package rest_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"onair/hub/socket/sockettest"
	"onair/hub/wire"
	"onair/server/auth"
	"onair/server/nodetest"
	"onair/server/rest"
)

// event is one server-sent event.
type event struct {
	typ, id, data string
}

// eventReader reads events.
type eventReader struct {
	t      *testing.T
	events chan event
	list   wire.ClientView
	stop   func()
}

// events opens an event stream.
func openEvents(s *nodetest.Server, query, token string, headers ...string) *eventReader {
	s.T.Helper()
	r := s.NewRequest("GET", "/v1/streams/events?"+query, token, "", headers...)
	res, err := s.HTTP.Do(r)
	if err != nil {
		s.T.Fatal(err)
	}
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
		s.T.Fatalf("status %d, %s", res.StatusCode, res.Header.Get("Content-Type"))
	}
	out := &eventReader{t: s.T, events: make(chan event, 1000), stop: func() { res.Body.Close() }}
	go func() {
		defer close(out.events)
		var e event
		for lines := bufio.NewReader(res.Body); ; {
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			switch name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": "); name {
			case "event":
				e.typ = value
			case "id":
				e.id = value
			case "data":
				e.data = value
			case "":
				if e.data != "" {
					out.events <- e
				}
				e = event{}
			}
		}
	}()
	s.T.Cleanup(func() {
		out.stop()
		for range out.events {
		}
	})
	return out
}

// next waits for the next event; ok is false at the end.
func (r *eventReader) next() (e event, ok bool) {
	r.t.Helper()
	select {
	case e, ok = <-r.events:
	case <-time.After(nodetest.LongTimeout):
		r.t.Fatal("no event came in time")
	}
	if ok {
		if err := nodetest.LoadContract().CheckServerSentEvent(e.typ, e.data); err != nil {
			r.t.Error(err)
		}
	}
	if ok && (e.typ == "snapshot" || e.typ == "diff") {
		m, err := wire.DecodeServerMessage([]byte(e.data))
		if err != nil {
			r.t.Fatalf("%s: %v", e.data, err)
		}
		r.list.Apply(m)
	}
	return e, ok
}

// of passes over events until one of that type comes.
func (r *eventReader) of(typ string) event {
	r.t.Helper()
	for {
		e, ok := r.next()
		if !ok {
			r.t.Fatalf("the events ended before a %s", typ)
		}
		if e.typ == typ {
			return e
		}
	}
}

func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		alice := s.DialAnchor("alice")
		nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: "one", Tags: []string{"game"}})
		r := openEvents(s, "tags=game&limit=10&play=flv", "")
		first := r.of("snapshot")
		if e, _ := r.list.Entry("8888_alice"); e.Title != "one" || !strings.Contains(first.data, "txSecret=") || first.id != r.list.Pos() {
			t.Errorf("snapshot %+v", first)
		}
		nodetest.RequestReply[*wire.Updated](alice, &wire.Update{ID: alice.NextID(), Title: wire.Some("two")})
		diff := r.of("diff")
		if e, _ := r.list.Entry("8888_alice"); e.Title != "two" || diff.id != r.list.Pos() || diff.id == first.id {
			t.Errorf("diff %+v", diff)
		}
		r.stop()
		synctest.Wait() // nobody stands on the view any more, so the next finds it fresh
		nodetest.RequestReply[*wire.Updated](alice, &wire.Update{ID: alice.NextID(), Title: wire.Some("three")})
		again := openEvents(s, "tags=game&limit=10&play=flv", "", "Last-Event-ID: "+diff.id)
		resumed, _ := again.next()
		if resumed.typ != "diff" || !strings.Contains(resumed.data, `"prev":"`+diff.id+`"`) || !strings.Contains(resumed.data, `"three"`) {
			t.Errorf("resumed with %+v", resumed)
		}
		for _, name := range []string{"pos", "lastEventId", "Last-Event-ID"} { // of clients that cannot set headers
			openEvents(s, "tags=game&limit=10&play=flv&"+name+"="+diff.id, "").of("diff")
		}
		unknown := openEvents(s, "", "", "Last-Event-ID: nonsense")
		if e, _ := unknown.next(); e.typ != "snapshot" {
			t.Errorf("an unknown position gives %+v", e)
		}
	})
}

// TestEventsLast: a quiet view keeps its line alive for longer than any time
// out of the server.
func TestEventsLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		r := openEvents(s, "", "")
		began := time.Now()
		id := r.of("snapshot").id
		for range 20 {
			e := r.of("diff")
			if e.id == id || !strings.Contains(e.data, `"prev":"`+id+`"`) {
				t.Errorf("after %s: %+v", id, e)
			}
			id = e.id
		}
		if d := time.Since(began); d < 8*time.Minute {
			t.Errorf("20 idle diffs in %v", d)
		}
		if n := s.MetricText(`onair_connections{kind="events",role="anonymous"}`); n != "1" {
			t.Errorf("%s open", n)
		}
		r.stop()
		synctest.Wait()
		if n := s.MetricText(`onair_connections{kind="events",role="anonymous"}`); n != "0" {
			t.Errorf("%s open after the end", n)
		}
	})
}

func TestEventsWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		alice := s.DialAnchor("alice")
		nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: ""})
		viewers := func() int64 {
			var e wire.Entry
			time.Sleep(3 * time.Second)
			s.Call("GET", "/v1/streams/8888_alice", "", "").RequireStatus(200).Decode(&e)
			return e.Viewers
		}
		r := openEvents(s, "watch=8888_alice", "")
		w := r.of("watching")
		if w.id != "" || !strings.Contains(w.data, `"play":{`) {
			t.Errorf("watching %+v", w)
		}
		if n := viewers(); n != 1 {
			t.Errorf("%d viewers", n)
		}
		nodetest.RequestReply[*wire.Stopped](alice, &wire.Stop{ID: alice.NextID()})
		for gone := 0; gone < 2; {
			e := r.of("diff")
			if !strings.Contains(e.data, `"del":["8888_alice"]`) {
				continue
			}
			gone++
			if watched := strings.Contains(e.data, `"view":"code/`); watched == (e.id != "") {
				t.Errorf("only the list's positions are ids: %+v", e)
			}
		}
		nodetest.RequestReply[*wire.Started](alice, &wire.Start{ID: alice.NextID(), Title: ""})
		if n := viewers(); n != 1 {
			t.Errorf("%d viewers of the next session", n)
		}
		r.stop()
		if n := viewers(); n != 0 {
			t.Errorf("%d viewers after the end", n)
		}
		s.Call("GET", "/v1/streams/events?watch=8888_nobody", "", "").RequireProblem(404, wire.CodeNotFound)
	})
}

func TestEventsRefuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--limits.sockets-per-address", "1", "--limits.watches-per-socket", "1", "--limits.views", "1")
		s.Call("GET", "/v1/streams/events?sort=x", "", "").RequireProblem(400, wire.CodeBadRequest)
		s.Call("GET", "/v1/streams/events?limit=0", "", "").RequireProblem(400, wire.CodeBadRequest)
		s.Call("GET", "/v1/streams/events?watch=a,b", "", "").RequireProblem(429, wire.CodeLimitExceeded)
		s.Call("GET", "/v1/streams/events", "nonsense", "").RequireProblem(401, wire.CodeUnauthorized)
		body := s.NewRequest("GET", "/v1/streams/events", "", "x")
		res, err := s.HTTP.Do(body)
		if err != nil {
			t.Fatal(err)
		}
		if res.Body.Close(); res.StatusCode != 400 {
			t.Errorf("with a body: status %d", res.StatusCode)
		}
		s.Call("HEAD", "/v1/streams/events", "", "").RequireStatus(200)
		r := openEvents(s, "", "")
		r.of("snapshot")
		s.Call("GET", "/v1/streams/events", "", "").RequireProblem(429, wire.CodeRateLimited)
		r.stop()
		synctest.Wait()
		openEvents(s, "", "").of("snapshot")
	})
}

// TestEventsOverHTTP2: a response lasts however long nothing is sent, and a
// refusal is answered.
func TestEventsOverHTTP2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t, "--limits.views", "1", "--idle", "10m")
		var protocols http.Protocols
		protocols.SetUnencryptedHTTP2(true)
		l := sockettest.NewListener()
		server := &http.Server{Handler: s.Node.PublicHandler(), Protocols: &protocols}
		go server.Serve(l)
		defer server.Close()
		transport := &http.Transport{DialContext: l.DialContext, Protocols: &protocols}
		defer transport.CloseIdleConnections()
		s.HTTP = &http.Client{Transport: transport}
		r := openEvents(s, "", "")
		r.of("snapshot")
		time.Sleep(3 * rest.EventStallTimeout)
		s.StartStream(s.DayToken(auth.Anchor, "alice"), `{"title":""}`)
		r.of("diff")
		s.Call("GET", "/v1/streams/events?sort=likes", "", "").RequireProblem(429, wire.CodeLimitExceeded)
		r.stop()
	})
}

// TestEventsEnd: an event stream ends with its token, and with its node.
func TestEventsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		ends := func(r *eventReader, code int) {
			t.Helper()
			e := r.of("close")
			var said struct{ Code int }
			if err := json.Unmarshal([]byte(e.data), &said); err != nil || said.Code != code {
				t.Errorf("closed with %s, want %d", e.data, code)
			}
			if e, more := r.next(); more {
				t.Errorf("after the close: %+v", e)
			}
		}
		expiring := openEvents(s, "", s.Token(auth.Viewer, "bob", time.Minute))
		ends(expiring, wire.CloseUnauthorized)
		if n := s.MetricText(`onair_closes_total{code="` + strconv.Itoa(wire.CloseUnauthorized) + `",kind="events"}`); n != "1" {
			t.Errorf("%s closes counted", n)
		}
		drained := openEvents(s, "", "")
		drained.of("snapshot")
		s.Stop()
		drained.of("drain")
		ends(drained, wire.CloseDrained)
	})
}

// TestSlowEvents: a reader that takes nothing is cut off after half a minute,
// and nothing is kept for it.
func TestSlowEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		back := s.DayToken(auth.Backend, "app")
		conn, err := s.Public.DialContext(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		go conn.Write([]byte("GET /v1/streams/events HTTP/1.1\r\nHost: server\r\n\r\n"))
		buf := make([]byte, 64)
		if _, err := conn.Read(buf); err != nil || !strings.HasPrefix(string(buf), "HTTP/1.1 200") {
			t.Fatalf("%s, %v", buf, err)
		}
		s.StartStream(back, `{"title":"","anchor":"alice"}`)
		time.Sleep(rest.EventStallTimeout + time.Second)
		synctest.Wait()
		if n := s.MetricText(`onair_connections{kind="events",role="anonymous"}`); n != "0" {
			t.Errorf("%s open", n)
		}
	})
}
