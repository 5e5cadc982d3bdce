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
		Node: "a", Boot: 2, Origin: 1, No: 3, Knows: 1, Beats: []Beat{{l, 5}, {Lease{9, 1}, 70}}, Viewers: []Count{{l, 4}}, Likes: []Count{{l, 9}},
		Digest: &Digest{Position{ID{1, 2}, 3}, 4},
		Commands: []Command{
			started(1, "ann"), &Resume{Session: id(1), Anchor: "ann", Holder: "c"}, &Update{Session: id(1), Title: new("x"), Cover: new("y"), Tags: &[]string{"t"}, Extra: &[]byte{1}},
			&Observe{id(1), FromSocket, Detached, "c", "", 0, false, "d"}, &Observe{id(1), FromCallback, Begun, "", "m", 9, true, ""}, &Adopt{id(1)},
			&Stop{id(1), Kicked, "op", "", "k"}, &Ban{"eve", 5, "why", "op", "k", 3}, &Unban{"eve", "op", "k", 4},
			&Observe{Session: id(1), Source: FromPoll, Sign: Online}, &Observe{Session: id(1), Source: FromPoll, Sign: Unknown},
			&Observe{Session: id(1), Source: FromPoll, Sign: Offline}, &Observe{Session: id(1), Source: FromCallback, Sign: Pictured, Detail: "https://x/y"},
			&Conclude{EffectID{1}, "why"}, &Conclude{EffectID{2}, ""}, &Reopen{&Effect{ID: EffectID{1}, Kind: StreamAway, At: 5, Stream: &Stream{Code: "c", Viewers: 3}, num: 2}},
			&Reopen{&Effect{ID: EffectID{2}, Kind: BanSet, At: 5, Ban: &Ban{Anchor: "eve"}, num: 2}},
			&SetSettings{Settings{1, 500, 3, 50, 700, 800, 900, 600, 3, 15, true, 7, true, true}}, &RaiseRules{1}, &Leave{},
			seedRestore(), &AddRecording{Recording{ID: "r", Code: "8888_ann", Session: id(4), Size: 7}}, &Bury{3, []string{"k"}, &Ended{Stream: &Stream{Session: id(4), Details: Details{Tags: []string{"t"}}}, Reason: Kicked, By: "op", EndedAt: 5, num: 3}},
		},
	}).Seal().Bytes
}

func seedRestore() *Restore {
	return &Restore{2, LeaseParams{500, 3, 50}, []string{"k"}, &session{
		stream: &Stream{Session: id(3), Code: "8888_cid", Anchor: "cid", State: Live, Listed: true}, sources: SourcesOf(FromBeats), told: 3,
		likes: []liked{{1, 2}},
	}}
}

func FuzzDecodeBatch(f *testing.F) {
	f.Add(seedBatch())
	f.Add((&Batch{Node: "b", Boot: 1, No: 1}).Seal().Bytes)
	f.Fuzz(func(t *testing.T, b []byte) {
		batch, err := DecodeBatch(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrRules) {
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
	x := newTape(f)
	f.Add(x.r.Encode())
	k := started(1, "ann")
	k.Key = "key"
	l := x.do(k).Lease
	x.do(started(2, "bob"))
	x.do(&Ban{Anchor: "eve", Until: 99})
	x.say("b", Batch{Viewers: []Count{{l, 5}}, Likes: []Count{{l, 2}}, Beats: []Beat{{Lease: l}}})
	x.pass(4_000)
	x.do(&Stop{Session: id(2)})
	f.Add(x.r.Encode())
	next := x.entry("a", Batch{Commands: []Command{started(3, "cid"), &Stop{Session: id(1)}, &Leave{}}})
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
	f.Add(id(1).String())
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
	f.Add(seedBatch(), (&Batch{Node: "b", Boot: 1, No: 1, Commands: []Command{&Leave{}, &Leave{}, started(2, "bob")}}).Seal().Bytes, int64(500))
	f.Add((&Batch{Node: "b", Boot: 1, No: 1, Viewers: []Count{{Lease{0, id(1).tag()}, 3}}}).Seal().Bytes, seedBatch(), int64(-9))
	f.Fuzz(func(t *testing.T, one, two []byte, step int64) {
		x := newTape(t)
		x.do(started(1, "ann"))
		for i := range 12 {
			x.time += step
			e := x.stamp([][]byte{one, two}[i%2])
			before := x.r.Encode()
			if _, err := x.r.Apply(e); err != nil {
				if !bytes.Equal(before, x.r.Encode()) {
					t.Fatal("an error, and something changed")
				}
				continue
			}
			parkedOnce(t, x.r)
			if x.r.rules > Rules {
				return
			}
			r, err := DecodeRegistry(x.r.Encode())
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "decoded", r, x.r)
		}
	})
}
