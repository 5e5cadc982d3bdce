package main

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"onair/deploy/program"
	"onair/hub/wire"
)

// quiet are settings with which no beat is due during a test: a state changes
// by what the media server says, or not at all.
func quiet(t *testing.T) settings {
	set := testSettings(t)
	set.Heartbeat = time.Minute
	return set
}

// scene is a stage with one viewer, in a test.
type scene struct {
	*stage
	t         *testing.T
	ctx       context.Context
	viewer    *viewer
	witnesses int
}

func newScene(t *testing.T, set settings) *scene {
	t.Helper()
	st, ctx := newStage(t, set)
	v, err := st.look(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return &scene{stage: st, t: t, ctx: ctx, viewer: v}
}

// starts lets somebody start a session, and waits until viewers see it.
func (s *scene) starts(name string) (*anchor, *wire.Started) {
	s.t.Helper()
	from := s.viewer.now()
	a, started, err := s.goLive(s.ctx, name, "By "+name)
	if err != nil {
		s.t.Fatal(err)
	}
	s.sees(from, started.Stream.Code, wire.StateStarting)
	return a, started
}

// pushes starts an encoder and waits until viewers see its stream live.
func (s *scene) pushes(to *wire.Started) *program.Program {
	s.t.Helper()
	from := s.viewer.now()
	c, err := s.push(to.Push.RTMP)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, release := c.WhileRunning(s.ctx)
	defer release()
	if _, err := s.viewer.sees(ctx, from, to.Stream.Code, wire.StateLive); err != nil {
		s.t.Fatal(err)
	}
	return c
}

func (s *scene) sees(from mark, code, state string) {
	s.t.Helper()
	if _, err := s.viewer.sees(s.ctx, from, code, state); err != nil {
		s.t.Fatal(err)
	}
}

// mustRefuse pushes and fails the test when nginx takes it.
func (s *scene) mustRefuse(url string, options ...string) {
	s.t.Helper()
	if err := s.refused(s.ctx, url, options...); err != nil {
		s.t.Errorf("not refused: %s %v: %v", s.mask.apply(url), options, err)
	}
}

// mustStay fails the test when a viewer saw anything of a stream since a
// moment. Somebody new goes live first: once the viewer sees that, it has seen
// all that was before.
func (s *scene) mustStay(from mark, code, state string) {
	s.t.Helper()
	s.witnesses++
	s.starts(fmt.Sprintf("witness%d", s.witnesses))
	if seen := s.viewer.since(from, code); len(seen) > 0 {
		s.t.Errorf("%s became %q", code, seen[0].state)
	}
	if e, _ := s.viewer.entry(code); mood(e) != state {
		s.t.Errorf("%s is %q, want %q", code, mood(e), state)
	}
}

// signed is a push URL by Tencent's formula, for a code and a time that onair
// would not sign.
func (s *scene) signed(code string, until time.Time) string {
	txTime := fmt.Sprintf("%08X", until.Unix())
	return fmt.Sprintf("rtmp://%s/%s/%s?txSecret=%s&txTime=%s", s.rtmp, app, code, txSecret(s.keys.push, code, txTime), txTime)
}

func txSecret(key, code, txTime string) string {
	sum := md5.Sum([]byte(key + code + txTime))
	return hex.EncodeToString(sum[:])
}

// query is the signature of a push URL.
func query(rtmp string) string {
	_, query, _ := strings.Cut(rtmp, "?")
	return query
}

// A URL that has expired begins no push. It was good in all else: the test's
// formula is that of the server.
func TestExpiredURL(t *testing.T) {
	t.Parallel()
	s := newScene(t, quiet(t))
	_, alice := s.starts("alice")
	given, err := url.ParseQuery(query(alice.Push.RTMP))
	if err != nil {
		t.Fatal(err)
	}
	if want := txSecret(s.keys.push, alice.Stream.Code, given.Get("txTime")); given.Get("txSecret") != want {
		t.Fatal("onair signs by another formula than this test")
	}
	from := s.viewer.now()
	s.mustRefuse(s.signed(alice.Stream.Code, time.Now().Add(-time.Minute)))
	s.mustStay(from, alice.Stream.Code, wire.StateStarting)
	s.pushes(alice)
}

// A signature alone begins no push: somebody must be live under that code.
func TestNoSession(t *testing.T) {
	t.Parallel()
	s := newScene(t, quiet(t))
	from := s.viewer.now()
	s.mustRefuse(s.signed("8888_nobody", time.Now().Add(time.Hour)))
	s.mustStay(from, "8888_nobody", "")

	a, alice := s.starts("alice")
	push := s.pushes(alice)
	from = s.viewer.now()
	if err := a.send(&wire.Stop{ID: wire.IntID(2)}); err != nil {
		t.Fatal(err)
	}
	s.sees(from, alice.Stream.Code, gone)
	if err := cut(s.ctx, push); err != nil {
		t.Error("after the stop:", err)
	}
	from = s.viewer.now()
	s.mustRefuse(alice.Push.RTMP)
	s.mustStay(from, alice.Stream.Code, "")
}

// A ban ends the session, the push that goes on, and every push after it.
func TestBanned(t *testing.T) {
	t.Parallel()
	s := newScene(t, quiet(t))
	a, alice := s.starts("alice")
	push := s.pushes(alice)
	from := s.viewer.now()
	s.ban("alice")
	if reason, err := a.isTold(s.ctx); err != nil || reason != wire.EndBanned {
		t.Errorf("she is told %q, %v", reason, err)
	}
	s.sees(from, alice.Stream.Code, gone)
	if err := cut(s.ctx, push); err != nil {
		t.Error("the push that went on:", err)
	}
	from = s.viewer.now()
	s.mustRefuse(alice.Push.RTMP)
	s.mustRefuse(s.signed(alice.Stream.Code, time.Now().Add(time.Hour)))
	s.mustStay(from, alice.Stream.Code, "")
}

// ban bans an anchor as a back end does.
func (s *scene) ban(anchor string) {
	s.t.Helper()
	token, err := s.token(s.ctx, "backend", "moderation")
	if err != nil {
		s.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(
		s.ctx, http.MethodPut, "http://"+s.api+"/v1/bans/"+anchor, strings.NewReader(`{"reason":"a test"}`),
	)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	res, err := client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode/100 != 2 {
		s.t.Fatalf("the ban is answered with %s", res.Status)
	}
}

// A second encoder on the same URL is refused by nginx, after onair was asked,
// and nginx reports its end while the first goes on. Neither changes anything.
func TestSecondPublisher(t *testing.T) {
	t.Parallel()
	set := quiet(t)
	heard := listen(t, &set)
	s := newScene(t, set)
	_, alice := s.starts("alice")
	push := s.pushes(alice)
	code := alice.Stream.Code
	for range 2 {
		from, before := s.viewer.now(), heard.now()
		s.mustRefuse(alice.Push.RTMP)
		if _, err := heard.answered(s.ctx, before, "publish", code, ""); err != nil {
			t.Fatal(err)
		}
		if asked, _ := heard.answered(s.ctx, before, "publish", code, ""); asked.status/100 == 2 {
			if _, err := heard.answered(s.ctx, before, "publish_done", code, ""); err != nil {
				t.Fatal(err)
			}
		}
		s.mustStay(from, code, wire.StateLive)
		if _, err := heard.answered(s.ctx, heard.now(), "update_publish", code, ""); err != nil {
			t.Fatal(err)
		}
		s.mustStay(from, code, wire.StateLive)
	}
	if !push.IsRunning() {
		t.Error("the first push has ended")
	}
	from := s.viewer.now()
	push.Kill()
	s.sees(from, code, wire.StateAway+": "+wire.AwayMedia)
}

// Whatever an encoder says of itself comes before the name in nginx's
// callback. Mallory has a good signature, for her own code, and tries to have
// it checked against that while she pushes under Alice's.
func TestInjectedName(t *testing.T) {
	t.Parallel()
	s := newScene(t, quiet(t))
	_, alice := s.starts("alice")
	_, mallory := s.starts("mallory")
	const more = "&name=8888_mallory&call=publish"
	sig := query(mallory.Push.RTMP)
	server := "rtmp://" + s.rtmp + "/" + app
	hers := server + "/8888_alice?" + sig
	own := mallory.Push.RTMP
	from := s.viewer.now()
	for name, try := range map[string]struct {
		url     string
		options []string
	}{
		"plain":                     {hers, nil},
		"tcurl":                     {hers, []string{"-rtmp_tcurl", server + more}},
		"tcurl with semicolons":     {hers, []string{"-rtmp_tcurl", server + ";name=8888_mallory;call=publish"}},
		"tcurl, escaped":            {hers, []string{"-rtmp_tcurl", server + "%26name=8888_mallory"}},
		"tcurl with a line break":   {hers, []string{"-rtmp_tcurl", server + "\r\nname=8888_mallory"}},
		"flashver":                  {hers, []string{"-rtmp_flashver", "x" + more}},
		"pageurl":                   {hers, []string{"-rtmp_pageurl", "http://x/" + more}},
		"swfurl":                    {hers, []string{"-rtmp_swfurl", "http://x/" + more}},
		"app":                       {hers, []string{"-rtmp_app", app + "?name=8888_mallory&call=publish"}},
		"playpath":                  {own, []string{"-rtmp_playpath", "8888_alice"}},
		"playpath, signed":          {own, []string{"-rtmp_playpath", "8888_alice?" + sig}},
		"playpath with a name":      {own, []string{"-rtmp_playpath", "8888_alice" + more + "?" + sig}},
		"playpath, own name first":  {own, []string{"-rtmp_playpath", "8888_mallory&name=8888_alice?" + sig}},
		"playpath, name in query":   {own, []string{"-rtmp_playpath", "8888_alice?name=8888_mallory&" + sig}},
		"playpath, no name":         {own, []string{"-rtmp_playpath", "?name=8888_mallory&type=live&" + sig}},
		"query":                     {hers + "&name=8888_mallory", nil},
		"query, name before secret": {server + "/8888_alice?name=8888_mallory&" + sig, nil},
	} {
		t.Log(name)
		s.mustRefuse(try.url, try.options...)
	}
	s.mustStay(from, "8888_alice", wire.StateStarting)
	s.mustStay(from, "8888_mallory", wire.StateStarting)
	s.pushes(alice)
}

// The query of a push URL is appended to the callback as it came. Mallory adds
// names, calls and client ids to her own, which is good, to be taken for Alice.
func TestInjectedQuery(t *testing.T) {
	t.Parallel()
	set := quiet(t)
	heard := listen(t, &set)
	s := newScene(t, set)
	_, alice := s.starts("alice")
	alices := s.pushes(alice)
	_, mallory := s.starts("mallory")
	begun, err := heard.answered(s.ctx, 0, "publish", "8888_alice", "")
	if err != nil {
		t.Fatal(err)
	}
	from := s.viewer.now()
	for _, more := range []string{
		"&name=8888_alice", "&call=publish_done&name=8888_alice", "&clientid=" + begun.form.Get("clientid"),
		"&call=publish_done&name=8888_alice&clientid=" + begun.form.Get("clientid"),
	} {
		before := heard.now()
		push, err := s.push(mallory.Push.RTMP + more)
		if err != nil {
			t.Fatal(err)
		}
		asked, err := heard.answered(s.ctx, before, "publish", "8888_mallory", "")
		if err != nil {
			t.Fatal(err)
		}
		if asked.status/100 == 2 { // it is her own stream that she has a right to
			for _, call := range []string{"update_publish", "publish_done"} {
				if call == "publish_done" {
					push.Kill()
				}
				if _, err := heard.answered(s.ctx, before, call, "8888_mallory", ""); err != nil {
					t.Fatal(err)
				}
			}
		}
		push.Kill()
		s.mustStay(from, "8888_alice", wire.StateLive)
	}
	if !alices.IsRunning() {
		t.Error("Alice's push has ended")
	}
}
