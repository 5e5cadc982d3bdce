package migration

import (
	"fmt"

	"pgregory.net/rapid"

	"onair/presence"
)

// history applies random entries to a registry.
type history struct {
	t        *rapid.T
	reg      *presence.Registry
	time     int64
	seqs     map[string]uint64 // of the last batches, by node
	sessions []presence.Session
	leases   []presence.Lease
}

// randomRegistry returns the registry of a random history. Its nodes may be alive.
func randomRegistry(t *rapid.T) *presence.Registry {
	h := &history{t: t, reg: presence.NewRegistry(), time: 1_763_830_000_000, seqs: map[string]uint64{}}
	h.applyBatch("a", &presence.SetSettings{Settings: presence.Settings{
		Revision: 1, Interval: presence.MinInterval, Missed: 3, Grace: 10, EndGrace: 1000, StartWithin: 1000, CallbackOnly: 5000,
		PollEvery: 100, OfflineAfter: 2, BlindAfter: 3, EventKinds: presence.EventKinds(rapid.Byte().Draw(t, "events")),
	}})
	for range rapid.IntRange(1, 60).Draw(t, "entries") {
		var commands []presence.Command
		for range rapid.IntRange(0, 2).Draw(t, "commands") {
			commands = append(commands, h.randomCommand())
		}
		h.applyBatch(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "node"), commands...)
	}
	return h.reg
}

// applyBatch applies a batch of a node, with beats, viewers and likes of random streams.
func (h *history) applyBatch(node string, commands ...presence.Command) {
	h.time += rapid.SampledFrom([]int64{0, 5, 25, 25, 50, 1000, -40}).Draw(h.t, "step")
	h.seqs[node]++
	b := presence.Batch{
		Node: node, Incarnation: h.seqs[node], Process: 1, Seq: 1, MaxRules: presence.LatestRules, Commands: commands,
	}
	for _, lease := range h.leases {
		switch rapid.IntRange(0, 5).Draw(h.t, "signal") {
		case 0, 1, 2:
			b.Beats = append(b.Beats, presence.Beat{Lease: lease})
		case 3:
			b.Viewers = append(b.Viewers, presence.Count{Lease: lease, N: rapid.Int64Range(0, 9).Draw(h.t, "viewers")})
		case 4:
			b.Likes = append(b.Likes, presence.Count{Lease: lease, N: rapid.Int64Range(0, 9).Draw(h.t, "likes")})
		}
	}
	num := h.reg.LastNum() + 1
	applied, err := h.reg.Apply(presence.Entry{ID: presence.ID{MS: num}, Num: num, Time: h.time, Epoch: "e", Batch: b.Seal().Bytes})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, c := range applied.Changes {
		if c.Cause == presence.ByStart {
			h.sessions, h.leases = append(h.sessions, c.New.Session), append(h.leases, c.New.Lease())
		}
	}
}

func (h *history) randomCommand() presence.Command {
	anchor := rapid.SampledFrom([]string{"ann", "bob", "cid", "dan"}).Draw(h.t, "anchor")
	key := rapid.SampledFrom([]string{"", "k1", "k2"}).Draw(h.t, "key")
	session := presence.Session{}
	if len(h.sessions) > 0 {
		session = rapid.SampledFrom(h.sessions).Draw(h.t, "session")
	}
	switch rapid.IntRange(0, 9).Draw(h.t, "command") {
	case 0:
		return &presence.Stop{Session: session, Reason: presence.Stopped, By: "op", Key: key}
	case 1:
		return &presence.Update{Session: session, Title: new("new"), Tags: &[]string{"a"}, Key: key}
	case 2:
		return &presence.Ban{Anchor: anchor, Until: h.time + rapid.Int64Range(-10, 5000).Draw(h.t, "until"), By: "op", Key: key}
	case 3:
		return &presence.Observe{Session: session, Source: presence.FromCallback, Signal: presence.PushStarted, Push: "1", IsUnique: true}
	case 4:
		return &presence.Observe{Session: session, Source: presence.FromCallback, Signal: presence.PushEnded, Push: "1", IsUnique: true}
	case 5:
		return &presence.AddRecording{Recording: presence.Recording{
			ID: rapid.StringMatching("[ab]{1,3}").Draw(h.t, "recording"), Code: "8888_" + anchor, StartedAt: h.time - 500, EndedAt: h.time,
		}}
	case 6:
		for _, e := range h.reg.OutboxEvents(0) {
			return &presence.CompleteEvent{ID: e.ID, Failure: rapid.SampledFrom([]string{"", "refused"}).Draw(h.t, "failure")}
		}
		return &presence.Leave{}
	case 7:
		return &presence.Leave{}
	}
	return newStart(anchor, key, fmt.Sprint("of ", h.time))
}

func newStart(anchor, key, title string) *presence.Start {
	return &presence.Start{
		Session: presence.NewSession(), Anchor: anchor, Code: "8888_" + anchor, List: "live", Title: title, Listed: true, Key: key,
	}
}
