package hub

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"onair/hub/wire"
)

func TestInvalidRequestsAreRefused(t *testing.T) {
	f := newFakeLog(t, Options{Lists: []string{"live", "vip"}, Signer: fakeSigner{}})
	s := f.hub.Attach(newFakeConn())
	defer s.Close()
	for about, m := range map[string]*wire.Subscribe{
		"vip":       {List: "nowhere"},
		"sort":      {Sort: "luck"},
		"limit":     {Limit: 501},
		"flv, hls":  {Play: []string{"pigeon"}},
		"500 user ": {Anchors: []string{}},
	} {
		if about == "500 user " {
			for i := range 501 {
				m.Anchors = append(m.Anchors, fmt.Sprint(i))
			}
		}
		e := f.hub.Subscribe(s, m)
		if errorCode(e) != wire.CodeBadRequest || !strings.Contains(e.Error(), about) {
			t.Errorf("%s: %v", about, e)
		}
		if _, e := f.hub.Page(m, ""); e == nil {
			t.Errorf("a page of %s", about)
		}
	}
	if e := f.hub.Watch(s, &wire.Watch{Code: "x"}); errorCode(e) != wire.CodeNotFound {
		t.Errorf("watch: %v", e)
	}
	if e := f.hub.Watch(s, &wire.Watch{Code: "x", Play: []string{"pigeon"}}); errorCode(e) != wire.CodeBadRequest {
		t.Errorf("watch: %v", e)
	}
	if e := f.hub.Unwatch(s, &wire.Unwatch{Code: "x"}); errorCode(e) != wire.CodeNotFound {
		t.Errorf("unwatch: %v", e)
	}
	if e := f.hub.Unsubscribe(s, &wire.Unsubscribe{View: "x"}); errorCode(e) != wire.CodeNotFound {
		t.Errorf("unsubscribe: %v", e)
	}
}

// TestViewIDsAreUnique checks that equal queries have the same id, different ones
// different ids, and that all ids fit into wire.MaxViewBytes.
func TestViewIDsAreUnique(t *testing.T) {
	h := New(Options{Lists: []string{"live", "code"}, Signer: fakeSigner{}})
	many := make([]string, 400)
	for i := range many {
		many[i] = fmt.Sprint("user", i)
	}
	seen := map[string]int{}
	for i, same := range [][]wire.Subscribe{
		{{}, {List: "live", Sort: "viewers", Limit: 100}, {Tags: []string{}, Play: []string{}}},
		{{Tags: []string{"b", "a", "b"}}, {Tags: []string{"a", "b"}}},
		{{Tags: []string{"a+b"}}},
		{{Tags: []string{"a/b"}}},
		{{Tags: []string{"a%2Fb"}}},
		{{Anchors: []string{}}},
		{{Anchors: []string{"a"}}},
		{{Anchors: many}},
		{{Anchors: many[1:]}},
		{{Play: []string{"hls", "flv"}}, {Play: []string{"flv", "hls"}}},
		{{Limit: 7}},
		{{Sort: "likes"}},
		{{List: "code"}},
		{{Tags: []string{strings.Repeat("世", 20), strings.Repeat("界", 20)}, Anchors: many, Play: []string{"flv"}}},
	} {
		name := ""
		for _, m := range same {
			q, e := h.normalizeQuery(&m)
			if e != nil {
				t.Fatal(e)
			}
			if name != "" && q.viewID != name {
				t.Errorf("%q and %q are equal", name, q.viewID)
			}
			name = q.viewID
		}
		if j, twice := seen[name]; twice || len(name) > wire.MaxViewBytes {
			t.Errorf("%q is the name of queries %d and %d, or too long", name, i, j)
		}
		seen[name] = i
	}
	for play, want := range map[string]string{"": "code/x", "hls,flv": "code/x/flv+hls", "hls,flv,rtmp": "code/x"} {
		m := &wire.Watch{Code: "x"}
		if play != "" {
			m.Play = strings.Split(play, ",")
		}
		if q, e := h.options.singleStreamQuery(m); e != nil || q.viewID != want {
			t.Errorf("watch with %q: %q, want %q", play, q.viewID, want)
		}
	}
}

func TestLimitsAreEnforced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeLog(t, Options{Limits: Limits{Views: 4, ViewsPerSocket: 3, WatchesPerSocket: 1}})
		f.runHub(t)
		f.startStream("a")
		f.startStream("b")
		s, _ := f.connect(t)
		for i := range 3 {
			subscribe(t, f, s, &wire.Subscribe{Limit: i + 1})
		}
		e := f.hub.Subscribe(s, &wire.Subscribe{Limit: 1})
		if errorCode(e) != wire.CodeRateLimited || e.(*wire.Error).RetryAfterMS != 1000 {
			t.Errorf("too fast: %+v", e)
		}
		time.Sleep(time.Second)
		if e := f.hub.Subscribe(s, &wire.Subscribe{Limit: 4}); errorCode(e) != wire.CodeLimitExceeded {
			t.Errorf("too many views on a socket: %+v", e)
		}
		if e := f.hub.Watch(s, &wire.Watch{Code: "a"}); e != nil {
			t.Error(e)
		}
		if e := f.hub.Watch(s, &wire.Watch{Code: "b"}); errorCode(e) != wire.CodeLimitExceeded {
			t.Errorf("too many watches: %+v", e)
		}
		if e := f.hub.Unsubscribe(s, &wire.Unsubscribe{View: "code/a"}); errorCode(e) != wire.CodeBadRequest {
			t.Errorf("unsubscribe from a watch: %+v", e)
		}
		other, _ := f.connect(t)
		if e := f.hub.Subscribe(other, &wire.Subscribe{Limit: 4}); errorCode(e) != wire.CodeLimitExceeded {
			t.Errorf("too many views: %+v", e)
		}
		if e := f.hub.Unsubscribe(s, &wire.Unsubscribe{View: "live/viewers/1"}); e != nil {
			t.Error(e)
		}
		if e := f.hub.Subscribe(other, &wire.Subscribe{Limit: 4}); e != nil {
			t.Errorf("an unused view was in the way: %v", e)
		}
		other.Close()
		if e := f.hub.Subscribe(other, &wire.Subscribe{}); errorCode(e) != wire.CodeUnavailable {
			t.Errorf("after Close: %+v", e)
		}
		if e := f.hub.Watch(other, &wire.Watch{Code: "b"}); errorCode(e) != wire.CodeUnavailable {
			t.Errorf("after Close: %+v", e)
		}
	})
}
