package presence

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
)

func seedBatch() []byte {
	l := Lease{3, 7}
	return (&Batch{
		Node: "a", Incarnation: 2, Process: 1, Seq: 3, MaxRules: 1, Beats: []Beat{{l, 5}, {Lease{9, 1}, 70}}, Viewers: []Count{{l, 4}}, Likes: []Count{{l, 9}},
		Digest: &Digest{Position{ID{1, 2}, 3}, 4},
		Commands: []Command{
			startOf(1, "ann"), &Resume{Session: sessionID(1), Anchor: "ann", Socket: "c"}, &Update{Session: sessionID(1), Title: new("x"), Cover: new("y"), Tags: &[]string{"t"}, Extra: &[]byte{1}},
			&Observe{sessionID(1), FromSocket, Detached, "c", "", 0, false, "d"}, &Observe{sessionID(1), FromCallback, PushStarted, "", "m", 9, true, ""}, &AdoptLeaseParams{sessionID(1)},
			&Stop{sessionID(1), Kicked, "op", "", "k"}, &Ban{"eve", 5, "why", "op", "k", 3}, &Unban{"eve", "op", "k", 4},
			&Observe{Session: sessionID(1), Source: FromPoll, Signal: PollOnline}, &Observe{Session: sessionID(1), Source: FromPoll, Signal: PollFailed},
			&Observe{Session: sessionID(1), Source: FromPoll, Signal: PollOffline}, &Observe{Session: sessionID(1), Source: FromCallback, Signal: ScreenshotTaken, Detail: "https://x/y"},
			&CompleteEvent{EventID{1}, "why"}, &CompleteEvent{EventID{2}, ""}, &RestoreEvent{&OutboxEvent{ID: EventID{1}, Kind: StreamAway, At: 5, Stream: &Stream{Code: "c", Viewers: 3}, entryNum: 2}},
			&RestoreEvent{&OutboxEvent{ID: EventID{2}, Kind: BanSet, At: 5, Ban: &Ban{Anchor: "eve"}, entryNum: 2}},
			&SetSettings{Settings{1, 500, 3, 50, 700, 800, 900, 600, 3, 15, true, 7, true, true}}, &RaiseRules{1}, &Leave{},
			seedRestore(), seedRestoreRenewed(), &AddRecording{Recording{ID: "r", Code: "8888_ann", Session: sessionID(4), Size: 7}}, &RestoreEnd{3, []string{"k"}, &Ended{Stream: &Stream{Session: sessionID(4), Details: Details{Tags: []string{"t"}}}, Reason: Kicked, By: "op", EndedAt: 5, entryNum: 3}},
		},
	}).Seal().Bytes
}

func seedRestore() *RestoreSession {
	return &RestoreSession{2, LeaseParams{500, 3, 50}, []string{"k"}, 0, &liveSession{
		stream: &Stream{Session: sessionID(3), Code: "8888_cid", Anchor: "cid", State: Live, Listed: true}, sources: SourcesOf(FromBeats), detailsNum: 3,
		likes: []likeCount{{1, 2}},
	}}
}

func seedRestoreRenewed() *RestoreSession {
	c := seedRestore()
	c.RenewedAt = 700
	return c
}

func FuzzDecodeBatch(f *testing.F) {
	f.Add(seedBatch())
	f.Add((&Batch{Node: "b", Incarnation: 1, Seq: 1}).Seal().Bytes)
	f.Fuzz(func(t *testing.T, b []byte) {
		batch, err := DecodeBatch(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrNewerVersion) {
				t.Fatalf("error %v", err)
			}
			return
		}
		again, err := DecodeBatch(batch.Seal().Bytes)
		if err != nil || !reflect.DeepEqual(batch, again) {
			t.Fatalf("%+v became %+v, %v", batch, again, err)
		}
	})
}

func FuzzDecodeRegistry(f *testing.F) {
	x := newTestLog(f)
	f.Add(x.reg.Encode())
	k := startOf(1, "ann")
	k.Key = "key"
	l := x.applyCommand(k).Lease
	x.applyCommand(startOf(2, "bob"))
	x.applyCommand(&Ban{Anchor: "eve", Until: 99})
	x.applyBatch("b", Batch{Viewers: []Count{{l, 5}}, Likes: []Count{{l, 2}}, Beats: []Beat{{Lease: l}}})
	x.advance(4_000)
	x.applyCommand(&Stop{Session: sessionID(2)})
	f.Add(x.reg.Encode())
	next := x.sealEntry("a", Batch{Commands: []Command{startOf(3, "cid"), &Stop{Session: sessionID(1)}, &Leave{}}})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeRegistry(b)
		if err != nil {
			return
		}
		again, err := DecodeRegistry(r.Encode())
		if err != nil || !bytes.Equal(again.Encode(), r.Encode()) || again.Digest() != r.Digest() {
			t.Fatalf("decoded again: %v", err)
		}
		for range 30 { // it works, whatever it holds
			if _, err := r.Apply(next); err != nil {
				t.Fatal(err)
			}
			next.Time += 1_000
		}
	})
}

func FuzzParsePosition(f *testing.F) {
	f.Add("1763830000123-0.9f3c21ab")
	f.Add("0-0.00000000")
	f.Add("01-0.00000000")
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := ParsePosition(s); err == nil && p.String() != s {
			t.Fatalf("%q became %q", s, p)
		} else if err != nil && !errors.Is(err, ErrBadPosition) {
			t.Fatal(err)
		}
	})
}

func FuzzParseSession(f *testing.F) {
	f.Add(sessionID(1).String())
	f.Add(NewSession().String() + "\n")
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := ParseSession(text); err == nil && s.String() != text {
			t.Fatalf("%q became %q", text, s)
		} else if err != nil && !errors.Is(err, ErrBadSession) {
			t.Fatal(err)
		}
	})
}

func FuzzApply(f *testing.F) {
	f.Add(seedBatch(), (&Batch{Node: "b", Incarnation: 1, Seq: 1, Commands: []Command{&Leave{}, &Leave{}, startOf(2, "bob")}}).Seal().Bytes, int64(500))
	f.Add((&Batch{Node: "b", Incarnation: 1, Seq: 1, Viewers: []Count{{Lease{0, sessionID(1).leaseTag()}, 3}}}).Seal().Bytes, seedBatch(), int64(-9))
	f.Fuzz(func(t *testing.T, one, two []byte, step int64) {
		x := newTestLog(t)
		x.applyCommand(startOf(1, "ann"))
		for i := range 12 {
			x.time += step
			e := x.newEntry([][]byte{one, two}[i%2])
			before := x.reg.Encode()
			if _, err := x.reg.Apply(e); err != nil {
				if !bytes.Equal(before, x.reg.Encode()) {
					t.Fatal("an error, and something changed")
				}
				continue
			}
			requireScheduledOnce(t, x.reg)
			if x.reg.rules > LatestRules {
				return
			}
			r, err := DecodeRegistry(x.reg.Encode())
			if err != nil {
				t.Fatal(err)
			}
			requireEqual(t, "decoded", r, x.reg)
		}
	})
}
