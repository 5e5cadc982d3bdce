package wire_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"onair/hub/wire"
)

// entryGenerator draws an entry with the given code, in the form that decoding
// returns.
func entryGenerator(code string) *rapid.Generator[wire.Entry] {
	return rapid.Custom(func(t *rapid.T) wire.Entry {
		text := func(name string) string { return rapid.SampledFrom([]string{"", "a", `"\`, "é\u2028"}).Draw(t, name) }
		number := func(name string) int64 { return rapid.SampledFrom([]int64{0, 1, -1, 1 << 62}).Draw(t, name) }
		e := wire.Entry{
			Code: code, Anchor: text("anchor"), Title: rapid.String().Draw(t, "title"), State: text("state"), Away: text("away"),
			StartedAt: number("started_at"), Viewers: rapid.Int64().Draw(t, "viewers"), Likes: number("likes"), Cover: text("cover"),
		}
		for range rapid.IntRange(0, 2).Draw(t, "tags") {
			e.Tags = append(e.Tags, text("tag"))
		}
		for range rapid.IntRange(0, 2).Draw(t, "play") {
			e.Play = append(e.Play, wire.PlayURL{text("protocol"), text("url")})
		}
		if extra := rapid.SampledFrom([]string{"", `{}`, `{"a":[1,{"b":"c,]}"}]}`}).Draw(t, "extra"); extra != "" {
			e.Extra = json.RawMessage(extra)
		}
		return e
	})
}

// withPlayJSON moves Play to PlayJSON in some of the entries.
func withPlayJSON(t *rapid.T, e wire.Entry) wire.Entry {
	if len(e.Play) == 0 || !rapid.Bool().Draw(t, "has PlayJSON") {
		return e
	}
	var entry struct{ Play json.RawMessage }
	if err := json.Unmarshal(wire.AppendEntry(nil, &wire.Entry{Play: e.Play}), &entry); err != nil {
		t.Fatal(err)
	}
	e.Play, e.PlayJSON = nil, entry.Play
	return e
}

func decodeDiff(t *rapid.T, frame []byte) *wire.Diff {
	m, err := wire.DecodeServerMessage(frame)
	if err != nil {
		t.Fatalf("%s: %v", frame, err)
	}
	return m.(*wire.Diff)
}

func TestPatchTurnsOldIntoNew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		old, now := entryGenerator("a").Draw(t, "old"), entryGenerator("a").Draw(t, "new")
		from, to := withPlayJSON(t, old), withPlayJSON(t, now)

		frame := wire.AppendHead(nil, wire.TypeDiff, "")
		b := wire.BeginDiff(frame, "v", "p", "q")
		if changed := b.AddSet(&from, &to); changed == reflect.DeepEqual(old, now) {
			t.Fatalf("AddSet returned %v", changed)
		}
		got := old
		for _, p := range decodeDiff(t, b.End()).Set {
			if err := got.ApplyPatch(p); err != nil {
				t.Fatal(err)
			}
		}
		if !reflect.DeepEqual(got, now) {
			t.Fatalf("got %+v\nwant %+v", got, now)
		}
	})
}

func TestClientViewFollowsServer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		server := map[string]wire.Entry{}
		var client wire.ClientView
		client.Apply(&wire.Snapshot{View: "v", Pos: "0"})
		for i := range rapid.IntRange(1, 5).Draw(t, "diffs") {
			next := map[string]wire.Entry{}
			for _, code := range []string{"a", "b", "c"} {
				if rapid.Bool().Draw(t, "live") {
					next[code] = entryGenerator(code).Draw(t, code)
				}
			}
			b := wire.BeginDiff(wire.AppendHead(nil, wire.TypeDiff, ""), "v", fmt.Sprint(i), fmt.Sprint(i+1))
			for code, e := range next {
				if _, known := server[code]; !known {
					b.AddPut(&e)
				}
			}
			for code, e := range next {
				if old, known := server[code]; known {
					b.AddSet(&old, &e)
				}
			}
			for code := range server {
				if _, stays := next[code]; !stays {
					b.AddDel(code)
				}
			}
			server = next
			if client.Apply(decodeDiff(t, b.End())) {
				t.Fatal("the client needs a resync")
			}
			for code, want := range server {
				if got, _ := client.Entry(code); !reflect.DeepEqual(got, want) {
					t.Fatalf("got %+v\nwant %+v", got, want)
				}
			}
			if client.Len() != len(server) {
				t.Fatalf("the client has %d entries, the server %d", client.Len(), len(server))
			}
		}
	})
}
