package leader_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"onair/hub/wire"
	"onair/presence"
	"onair/server/auth"
	"onair/server/cloud"
	"onair/server/leader"
	"onair/server/node"
	"onair/server/nodetest"
	"onair/server/poll"
	"onair/server/rest"
)

// heaven is a cloud that is asked and told, in a bubble.
type heaven struct {
	mu     sync.Mutex
	online map[string]bool
	down   error
	told   []string
	tapes  []presence.Recording
	// unreadable is the code whose list of tapes cannot be read.
	unreadable string
}

func (h *heaven) set(change func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change()
}

func (h *heaven) IsOnline(_ context.Context, code string) (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.down != nil:
		return false, h.down
	case h.online[code]:
		return true, nil
	}
	return false, nil
}

func (h *heaven) tell(what string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.down == nil {
		h.told = append(h.told, what)
	}
	return h.down
}

func (h *heaven) CutPush(_ context.Context, code string) error   { return h.tell("cut " + code) }
func (h *heaven) AllowPush(_ context.Context, code string) error { return h.tell("allow " + code) }
func (h *heaven) ForbidPush(_ context.Context, code string, until time.Time, reason string) error {
	left := "for ever"
	if !until.IsZero() {
		left = "for " + time.Until(until).Round(time.Minute).String()
	}
	return h.tell(fmt.Sprint("forbid ", code, " ", left, ": ", reason))
}

func (h *heaven) list(_ context.Context, code string, _, _ time.Time, each func(presence.Recording)) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if code == h.unreadable {
		return errors.New("not understood")
	}
	for _, rec := range h.tapes {
		if rec.Code == code && h.down == nil {
			each(rec)
		}
	}
	return h.down
}

// under starts a server that asks and tells a heaven.
func under(t *testing.T, h *heaven, flags ...string) *nodetest.Server {
	t.Helper()
	return nodetest.ServeOptions(t, nodetest.OpenMemoryStore(t), false, func(o *node.Options) {
		o.Providers = &leader.Providers{
			Poll:      &poll.Provider{IsOnline: h.IsOnline, Budget: cloud.NewBudget(o.Config.Poll.Rate)},
			Moderator: h, Recordings: h.list,
		}
	}, append([]string{
		"--poll.provider", "tencent", "--moderation.provider", "tencent", "--cloud.secret-id", "id", "--cloud.secret-key", "key",
		"--recordings.provider", "tencent",
	}, flags...)...)
}

func TestPollsDecide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &heaven{online: map[string]bool{}}
		s := under(t, h)
		want := func(what, state string) {
			t.Helper()
			if got := s.StreamState("8888_alice"); got != state {
				t.Errorf("%s: %s, want %s", what, got, state)
			}
		}
		s.StartStream(s.DayToken(auth.Anchor, "alice"), `{"title":"x","sources":["poll"]}`)
		time.Sleep(5 * time.Minute)
		want("not pushed yet", "starting")
		h.set(func() { h.online["8888_alice"] = true })
		time.Sleep(61 * time.Second)
		want("seen", "live")
		h.set(func() { h.down = errors.New("down") })
		time.Sleep(10 * time.Minute)
		want("the cloud is down for ten minutes", "live")
		h.set(func() { h.down, h.online["8888_alice"] = nil, false })
		time.Sleep(121 * time.Second)
		want("two offline", "live")
		time.Sleep(61 * time.Second)
		want("three", "gone")
		var why rest.ExplanationView
		s.Call("GET", "/v1/streams/8888_alice/why", s.DayToken(auth.Admin, "op"), "").RequireStatus(200).Decode(&why)
		if why.Rule != "stream_lost" || len(why.Evidence) == 0 || why.Evidence[0].Source != "poll" || why.Evidence[0].Signal != "offline" {
			t.Errorf("why %+v", why)
		}
	})
}

// TestPollsNeedTheirSource: where nobody polls nobody can live by polls.
func TestPollsNeedTheirSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		s.Call("POST", "/v1/streams", s.DayToken(auth.Anchor, "alice"), `{"title":"x","sources":["poll"]}`).RequireProblem(400, wire.CodeBadRequest)
	})
}

func TestModerationReachesTheCloud(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &heaven{online: map[string]bool{}}
		s := under(t, h)
		op := s.DayToken(auth.Admin, "op")
		wants := func(want ...string) {
			t.Helper()
			time.Sleep(time.Second)
			h.set(func() {
				slices.Sort(h.told)
				if !slices.Equal(h.told, want) {
					t.Errorf("told %q, want %q", h.told, want)
				}
				h.told = nil
			})
		}
		session := s.StartStream(s.DayToken(auth.Anchor, "alice"), `{"title":"x"}`).Session
		s.Call("DELETE", "/v1/streams/8888_alice?session="+session, s.DayToken(auth.Anchor, "alice"), "").RequireStatus(200)
		wants()
		s.StartStream(s.DayToken(auth.Anchor, "alice"), `{"title":"x"}`)
		s.Call("POST", "/v1/streams/8888_alice/kick", op, "").RequireStatus(200)
		wants("cut 8888_alice")
		s.StartStream(s.DayToken(auth.Anchor, "alice"), `{"title":"x"}`)
		s.Call("PUT", "/v1/bans/alice", op, fmt.Sprintf(`{"until":%d,"reason":"rude"}`, time.Now().Add(time.Hour).UnixMilli())).RequireStatus(200)
		wants("cut 8888_alice", "forbid 8888_alice for 1h0m0s: rude")
		s.Call("PUT", "/v1/bans/bob", op, `{}`).RequireStatus(200)
		wants("forbid 8888_bob for ever: ")
		h.set(func() { h.down = errors.New("down") })
		s.Call("DELETE", "/v1/bans/bob", op, "").RequireStatus(204)
		wants()
		h.set(func() { h.down = nil })
		time.Sleep(5 * time.Minute)
		wants("allow 8888_bob")
		h.set(func() { h.down = errors.New("down") })
		s.Call("DELETE", "/v1/bans/alice", op, "").RequireStatus(204)
		time.Sleep(2 * time.Hour)
		var page struct {
			DeadLetters []rest.DeadLetterView `json:"dead_letters"`
		}
		s.Call("GET", "/v1/dead-letters", op, "").RequireStatus(200).Decode(&page)
		if len(page.DeadLetters) != 1 || page.DeadLetters[0].Event != "anchor.unbanned" || page.DeadLetters[0].Subject != "alice" {
			t.Errorf("dead letters %+v", page.DeadLetters)
		}
	})
}

// TestRecordingsAreCompared: a recording of which no callback has told is found in
// the provider's list, and one of which it has is not told of twice.
func TestRecordingsAreCompared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &heaven{online: map[string]bool{}}
		s := under(t, h, "--recordings.min", "10s")
		session := s.StartStream(s.DayToken(auth.Anchor, "alice"), `{"title":"Hello"}`).Session
		time.Sleep(time.Minute)
		now := time.Now().UnixMilli()
		h.set(func() {
			for i, length := range []int64{30_000, 5_000} {
				h.tapes = append(h.tapes, presence.Recording{
					ID: presence.RecordingID("tencent", fmt.Sprint(i)), Provider: "tencent", Code: "8888_alice", Format: "mp4",
					StartedAt: now - length, EndedAt: now, Duration: length, Location: "http://x/f.mp4",
				})
			}
			h.down = errors.New("down")
		})
		s.Call("DELETE", "/v1/streams/8888_alice?session="+session, s.DayToken(auth.Anchor, "alice"), "").RequireStatus(200)
		time.Sleep(11 * time.Minute)
		if all := listRecordings(s, "", "").Recordings; len(all) != 0 {
			t.Errorf("%+v", all)
		}
		h.set(func() { h.down = nil })
		for range 2 {
			time.Sleep(10 * time.Minute)
			if all := listRecordings(s, "", "").Recordings; len(all) != 1 || all[0].Title != "Hello" || all[0].DurationMS != 30_000 {
				t.Errorf("%+v", all)
			}
		}
	})
}

// unwilling is a moderator that fails at first.
type unwilling struct {
	heaven
	fails int
}

func (u *unwilling) try() (err error) {
	u.set(func() {
		if u.fails--; u.fails >= 0 {
			err = errors.New("timeout")
		}
	})
	return err
}

func (u *unwilling) CutPush(ctx context.Context, code string) error {
	if err := u.try(); err != nil {
		return err
	}
	return u.heaven.CutPush(ctx, code)
}

func (u *unwilling) ForbidPush(ctx context.Context, code string, until time.Time, reason string) error {
	if err := u.try(); err != nil {
		return err
	}
	return u.heaven.ForbidPush(ctx, code, until, reason)
}

// TestLateModeration: what the provider takes late does not undo what came after.
func TestLateModeration(t *testing.T) {
	for name, fails := range map[string]int{"a ban": 1, "a kick": 5} {
		synctest.Test(t, func(t *testing.T) {
			u := &unwilling{fails: fails}
			s := nodetest.ServeOptions(t, nodetest.OpenMemoryStore(t), false, func(o *node.Options) { o.Providers = &leader.Providers{Moderator: u} },
				"--moderation.provider", "tencent", "--cloud.secret-id", "id", "--cloud.secret-key", "key")
			op := s.DayToken(auth.Admin, "op")
			want := []string{"allow 8888_alice"}
			if name == "a ban" {
				s.Call("PUT", "/v1/bans/alice", op, `{}`).RequireStatus(200)
				time.Sleep(200 * time.Millisecond)
				s.Call("DELETE", "/v1/bans/alice", op, "").RequireStatus(204)
			} else {
				want = nil
				s.StartStream(s.DayToken(auth.Anchor, "alice"), `{"title":"x"}`)
				s.Call("POST", "/v1/streams/8888_alice/kick", op, "").RequireStatus(200)
				time.Sleep(5 * time.Second)
				s.StartStream(s.DayToken(auth.Anchor, "alice"), `{"title":"y"}`)
			}
			time.Sleep(5 * time.Minute)
			u.set(func() {
				if !slices.Equal(u.told, want) {
					t.Errorf("%s: told %q, want %q", name, u.told, want)
				}
			})
		})
	}
}

// TestOldKeeper: a keeper that runs older settings than others leaves to the next
// what it knows nobody for.
func TestOldKeeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nodetest.Serve(t)
		later := s.Node.Broadcasts.Settings()
		later.Revision++
		later.EventKinds = presence.EventKindsOf(presence.StreamStarted)
		if _, err := s.Node.Presence.Do(t.Context(), &presence.SetSettings{Settings: later}); err != nil {
			t.Fatal(err)
		}
		s.StartStream(s.DayToken(auth.Anchor, "alice"), `{"title":"x"}`)
		time.Sleep(3 * time.Second)
		s.Node.Presence.Read(func(r *presence.Registry) {
			if n := r.OutboxSize(); n != 1 {
				t.Errorf("%d effects wait", n)
			}
		})
	})
}

// TestBadList: one list that cannot be read keeps no others from being read.
func TestBadList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &heaven{online: map[string]bool{}}
		h.unreadable = "8888_bob"
		s := under(t, h)
		for _, name := range []string{"alice", "bob"} {
			session := s.StartStream(s.DayToken(auth.Anchor, name), `{"title":"Hello"}`).Session
			time.Sleep(time.Minute)
			now := time.Now().UnixMilli()
			h.set(func() {
				h.tapes = append(h.tapes, presence.Recording{
					ID: presence.RecordingID("tencent", name), Provider: "tencent", Code: "8888_" + name, Format: "mp4",
					StartedAt: now - 30_000, EndedAt: now, Duration: 30_000, Location: "http://x/f.mp4",
				})
			})
			s.Call("DELETE", "/v1/streams/8888_"+name+"?session="+session, s.DayToken(auth.Anchor, name), "").RequireStatus(200)
		}
		time.Sleep(20 * time.Minute)
		if all := listRecordings(s, "", "").Recordings; len(all) != 1 {
			t.Errorf("%+v", all)
		}
	})
}
