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

// quietSettings has no beat due during a test, so that only the media server changes states.
func quietSettings(t *testing.T) settings {
	set := testSettings(t)
	set.Heartbeat = time.Minute
	return set
}

// testEnvironment is an environment with a viewer.
type testEnvironment struct {
	*environment
	t       *testing.T
	ctx     context.Context
	viewer  *viewer
	markers int // streams that expectUnchanged has started
}

func newTestEnvironment(t *testing.T, set settings) *testEnvironment {
	t.Helper()
	env, ctx := newEnvironment(t, set)
	v, err := env.startViewer(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return &testEnvironment{environment: env, t: t, ctx: ctx, viewer: v}
}

// startSession starts a session, and waits until the viewer has it.
func (s *testEnvironment) startSession(name string) (*anchor, *wire.Started) {
	s.t.Helper()
	position := s.viewer.position()
	a, started, err := s.startAnchor(s.ctx, name, "By "+name)
	if err != nil {
		s.t.Fatal(err)
	}
	s.awaitState(position, started.Stream.Code, wire.StateStarting)
	return a, started
}

// startPush starts an encoder, and waits until the viewer has the live stream.
func (s *testEnvironment) startPush(to *wire.Started) *program.Program {
	s.t.Helper()
	position := s.viewer.position()
	push, err := s.startEncoder(to.Push.RTMP)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := push.WhileRunning(s.ctx)
	defer cancel()
	if _, err := s.viewer.awaitState(ctx, position, to.Stream.Code, wire.StateLive); err != nil {
		s.t.Fatal(err)
	}
	return push
}

func (s *testEnvironment) awaitState(position int, code, state string) {
	s.t.Helper()
	if _, err := s.viewer.awaitState(s.ctx, position, code, state); err != nil {
		s.t.Fatal(err)
	}
}

// expectPushRefused fails the test when nginx accepts a push.
func (s *testEnvironment) expectPushRefused(url string, options ...string) {
	s.t.Helper()
	if err := s.expectRefused(s.ctx, url, options...); err != nil {
		s.t.Errorf("accepted: %s %v: %v", s.redactor.redact(url), options, err)
	}
}

// expectUnchanged fails the test when a stream has changed after a position. It starts
// another stream first: when the viewer has that one, it has all earlier changes.
func (s *testEnvironment) expectUnchanged(position int, code, state string) {
	s.t.Helper()
	s.markers++
	s.startSession(fmt.Sprintf("marker%d", s.markers))
	if changes := s.viewer.changesSince(position, code); len(changes) > 0 {
		s.t.Errorf("%s became %q", code, changes[0].state)
	}
	if e, _ := s.viewer.entry(code); displayedState(e) != state {
		s.t.Errorf("%s is %q, want %q", code, displayedState(e), state)
	}
}

// signedPushURL returns a push URL with Tencent's signature, for a code and a time that
// onair would not sign.
func (s *testEnvironment) signedPushURL(code string, until time.Time) string {
	txTime := fmt.Sprintf("%08X", until.Unix())
	return fmt.Sprintf("rtmp://%s/%s/%s?txSecret=%s&txTime=%s", s.addrs.rtmp, app, code, txSecret(s.keys.push, code, txTime), txTime)
}

func txSecret(key, code, txTime string) string {
	sum := md5.Sum([]byte(key + code + txTime))
	return hex.EncodeToString(sum[:])
}

// urlQuery returns a push URL's query, which has the signature.
func urlQuery(rtmp string) string {
	_, query, _ := strings.Cut(rtmp, "?")
	return query
}

// TestExpiredURLIsRefused: an expired URL is refused, though its signature is valid.
func TestExpiredURLIsRefused(t *testing.T) {
	t.Parallel()
	s := newTestEnvironment(t, quietSettings(t))
	_, alice := s.startSession("alice")
	query, err := url.ParseQuery(urlQuery(alice.Push.RTMP))
	if err != nil {
		t.Fatal(err)
	}
	if want := txSecret(s.keys.push, alice.Stream.Code, query.Get("txTime")); query.Get("txSecret") != want {
		t.Fatal("onair's signature differs from this test's")
	}
	position := s.viewer.position()
	s.expectPushRefused(s.signedPushURL(alice.Stream.Code, time.Now().Add(-time.Minute)))
	s.expectUnchanged(position, alice.Stream.Code, wire.StateStarting)
	s.startPush(alice)
}

// TestPushNeedsSession: a valid signature is not enough, a session must have the code.
func TestPushNeedsSession(t *testing.T) {
	t.Parallel()
	s := newTestEnvironment(t, quietSettings(t))
	position := s.viewer.position()
	s.expectPushRefused(s.signedPushURL("8888_nobody", time.Now().Add(time.Hour)))
	s.expectUnchanged(position, "8888_nobody", "")

	a, alice := s.startSession("alice")
	push := s.startPush(alice)
	position = s.viewer.position()
	if err := a.send(&wire.Stop{ID: wire.IntID(2)}); err != nil {
		t.Fatal(err)
	}
	s.awaitState(position, alice.Stream.Code, removed)
	if err := awaitCut(s.ctx, push); err != nil {
		t.Error("after the stop:", err)
	}
	position = s.viewer.position()
	s.expectPushRefused(alice.Push.RTMP)
	s.expectUnchanged(position, alice.Stream.Code, "")
}

// TestBanEndsPushes: a ban ends the session and its push, and later pushes are refused.
func TestBanEndsPushes(t *testing.T) {
	t.Parallel()
	s := newTestEnvironment(t, quietSettings(t))
	a, alice := s.startSession("alice")
	push := s.startPush(alice)
	position := s.viewer.position()
	s.ban("alice")
	if reason, err := a.awaitEnded(s.ctx); err != nil || reason != wire.EndBanned {
		t.Errorf("the reason is %q, %v", reason, err)
	}
	s.awaitState(position, alice.Stream.Code, removed)
	if err := awaitCut(s.ctx, push); err != nil {
		t.Error("the running push:", err)
	}
	position = s.viewer.position()
	s.expectPushRefused(alice.Push.RTMP)
	s.expectPushRefused(s.signedPushURL(alice.Stream.Code, time.Now().Add(time.Hour)))
	s.expectUnchanged(position, alice.Stream.Code, "")
}

// ban bans an anchor through the API.
func (s *testEnvironment) ban(anchor string) {
	s.t.Helper()
	token, err := s.mintToken(s.ctx, "backend", "moderation")
	if err != nil {
		s.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(
		s.ctx, http.MethodPut, "http://"+s.addrs.api+"/v1/bans/"+anchor, strings.NewReader(`{"reason":"a test"}`),
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
		s.t.Fatalf("ban: %s", res.Status)
	}
}

// TestSecondPublisherChangesNothing: nginx refuses a second encoder after a callback, and
// reports its end, while the first one continues.
func TestSecondPublisherChangesNothing(t *testing.T) {
	t.Parallel()
	set := quietSettings(t)
	callbacks := recordCallbacks(t, &set)
	s := newTestEnvironment(t, set)
	_, alice := s.startSession("alice")
	push := s.startPush(alice)
	code := alice.Stream.Code
	for range 2 {
		position, callbackPosition := s.viewer.position(), callbacks.position()
		s.expectPushRefused(alice.Push.RTMP)
		if _, err := callbacks.awaitCallback(s.ctx, callbackPosition, "publish", code, ""); err != nil {
			t.Fatal(err)
		}
		if publish, _ := callbacks.awaitCallback(s.ctx, callbackPosition, "publish", code, ""); publish.status/100 == 2 {
			if _, err := callbacks.awaitCallback(s.ctx, callbackPosition, "publish_done", code, ""); err != nil {
				t.Fatal(err)
			}
		}
		s.expectUnchanged(position, code, wire.StateLive)
		if _, err := callbacks.awaitCallback(s.ctx, callbacks.position(), "update_publish", code, ""); err != nil {
			t.Fatal(err)
		}
		s.expectUnchanged(position, code, wire.StateLive)
	}
	if !push.IsRunning() {
		t.Error("the first push has ended")
	}
	position := s.viewer.position()
	push.Kill()
	s.awaitState(position, code, wire.StateAway+": "+wire.AwayMedia)
}

// TestInjectedName: nginx's callback has an encoder's own texts before the name. Mallory
// has a valid signature for her code, and tries to push under Alice's code with it.
func TestInjectedName(t *testing.T) {
	t.Parallel()
	s := newTestEnvironment(t, quietSettings(t))
	_, alice := s.startSession("alice")
	_, mallory := s.startSession("mallory")
	const injected = "&name=8888_mallory&call=publish"
	signature := urlQuery(mallory.Push.RTMP)
	server := "rtmp://" + s.addrs.rtmp + "/" + app
	alicesURL := server + "/8888_alice?" + signature
	ownURL := mallory.Push.RTMP
	position := s.viewer.position()
	for name, attempt := range map[string]struct {
		url     string
		options []string
	}{
		"plain":                     {alicesURL, nil},
		"tcurl":                     {alicesURL, []string{"-rtmp_tcurl", server + injected}},
		"tcurl with semicolons":     {alicesURL, []string{"-rtmp_tcurl", server + ";name=8888_mallory;call=publish"}},
		"tcurl, escaped":            {alicesURL, []string{"-rtmp_tcurl", server + "%26name=8888_mallory"}},
		"tcurl with a line break":   {alicesURL, []string{"-rtmp_tcurl", server + "\r\nname=8888_mallory"}},
		"flashver":                  {alicesURL, []string{"-rtmp_flashver", "x" + injected}},
		"pageurl":                   {alicesURL, []string{"-rtmp_pageurl", "http://x/" + injected}},
		"swfurl":                    {alicesURL, []string{"-rtmp_swfurl", "http://x/" + injected}},
		"app":                       {alicesURL, []string{"-rtmp_app", app + "?name=8888_mallory&call=publish"}},
		"playpath":                  {ownURL, []string{"-rtmp_playpath", "8888_alice"}},
		"playpath, signed":          {ownURL, []string{"-rtmp_playpath", "8888_alice?" + signature}},
		"playpath with a name":      {ownURL, []string{"-rtmp_playpath", "8888_alice" + injected + "?" + signature}},
		"playpath, own name first":  {ownURL, []string{"-rtmp_playpath", "8888_mallory&name=8888_alice?" + signature}},
		"playpath, name in query":   {ownURL, []string{"-rtmp_playpath", "8888_alice?name=8888_mallory&" + signature}},
		"playpath, no name":         {ownURL, []string{"-rtmp_playpath", "?name=8888_mallory&type=live&" + signature}},
		"query":                     {alicesURL + "&name=8888_mallory", nil},
		"query, name before secret": {server + "/8888_alice?name=8888_mallory&" + signature, nil},
	} {
		t.Log(name)
		s.expectPushRefused(attempt.url, attempt.options...)
	}
	s.expectUnchanged(position, "8888_alice", wire.StateStarting)
	s.expectUnchanged(position, "8888_mallory", wire.StateStarting)
	s.startPush(alice)
}

// TestInjectedQuery: nginx appends the query of a push URL to its callback. Mallory adds
// names, calls and client ids to her valid query, to act as Alice.
func TestInjectedQuery(t *testing.T) {
	t.Parallel()
	set := quietSettings(t)
	callbacks := recordCallbacks(t, &set)
	s := newTestEnvironment(t, set)
	_, alice := s.startSession("alice")
	alicesPush := s.startPush(alice)
	_, mallory := s.startSession("mallory")
	publish, err := callbacks.awaitCallback(s.ctx, 0, "publish", "8888_alice", "")
	if err != nil {
		t.Fatal(err)
	}
	position := s.viewer.position()
	for _, injected := range []string{
		"&name=8888_alice", "&call=publish_done&name=8888_alice", "&clientid=" + publish.form.Get("clientid"),
		"&call=publish_done&name=8888_alice&clientid=" + publish.form.Get("clientid"),
	} {
		callbackPosition := callbacks.position()
		push, err := s.startEncoder(mallory.Push.RTMP + injected)
		if err != nil {
			t.Fatal(err)
		}
		publish, err := callbacks.awaitCallback(s.ctx, callbackPosition, "publish", "8888_mallory", "")
		if err != nil {
			t.Fatal(err)
		}
		if publish.status/100 == 2 { // she may push to her own stream
			for _, call := range []string{"update_publish", "publish_done"} {
				if call == "publish_done" {
					push.Kill()
				}
				if _, err := callbacks.awaitCallback(s.ctx, callbackPosition, call, "8888_mallory", ""); err != nil {
					t.Fatal(err)
				}
			}
		}
		push.Kill()
		s.expectUnchanged(position, "8888_alice", wire.StateLive)
	}
	if !alicesPush.IsRunning() {
		t.Error("Alice's push has ended")
	}
}
