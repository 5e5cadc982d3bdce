package wire_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"onair/hub/wire"
)

// The frames are those of protocol.md §2–§4.
func TestProtocolExamples(t *testing.T) {
	for _, frame := range []string{
		`{"type":"welcome","node":"n1","build":"v0.3.1","connection":"01J","server_time":1763830000123,"heartbeat_ms":60000,"missed_limit":3,"idle_ms":25000}`,
		`{"type":"authenticated","sub":"alice","role":"anchor","expires_at":1763830000123}`,
		`{"type":"token_expiring","expires_at":1763830000123}`,
		`{"type":"probe"}`,
		`{"type":"ended","reason":"missed_beats"}`,
		`{"type":"push","push":{"rtmp":"rtmp://p/live/8888_alice?txSecret=s&txTime=t","server":"rtmp://p/live/","key":"8888_alice?txSecret=s","expires_at":1}}`,
		`{"type":"snapshot","id":1,"view":"live/hot100","pos":"1763830000123-0.9f3c21ab","total":5210,"streams":[` + aliceJSON + `,` + bobJSON + `]}`,
		`{"type":"diff","view":"live/hot100","prev":"1763830000123-0.9f3c21ab","pos":"1763830000987-2.07d1e4c0",` +
			`"put":[{"code":"8888_bob","anchor":"bob","title":"t","state":"live","started_at":1,"viewers":0,"likes":0,"tags":["game"],` +
			`"cover":"https://c","extra":{"a":1},"play":{"flv":"https://f","hls":"https://h"}}],` +
			`"set":[{"code":"8888_alice","viewers":1201}],"del":["8888_carol"]}`,
		`{"type":"ping"}`,
		`{"type":"error","id":7,"code":"bad_request","message":"one sentence for a developer","retry_after_ms":1000}`,
	} {
		m, err := wire.DecodeServerMessage([]byte(frame))
		if err != nil {
			t.Errorf("%s: %v", frame, err)
		} else if got := string(wire.Append(nil, m)); got != frame {
			t.Errorf("%T\n got %s\nwant %s", m, got, frame)
		}
	}
}

// A message equals its head and its body, after the content of dst.
func TestMessageIsHeadAndBody(t *testing.T) {
	old, changed := bob(), bob()
	changed.Viewers = 9
	for _, id := range []wire.ID{"", wire.IntID(1), wire.StringID(`a"b`)} {
		s := wire.BeginSnapshot(wire.AppendHead([]byte("dst,"), wire.TypeSnapshot, id), "v", "p", 2)
		s.AddStream(&old)
		want := string(wire.Append([]byte("dst,"), &wire.Snapshot{ID: id, View: "v", Pos: "p", Total: 2, Streams: []wire.Entry{old}}))
		if got := string(s.End()); got != want {
			t.Errorf("snapshot:\n got %s\nwant %s", got, want)
		}
		d := wire.BeginDiff(wire.AppendHead([]byte("dst,"), wire.TypeDiff, id), "v", "p", "q")
		d.AddPut(&old)
		d.AddSet(&old, &changed)
		d.AddDel("x")
		want = string(wire.Append([]byte("dst,"), &wire.Diff{
			ID: id, View: "v", Prev: "p", Pos: "q", Put: []wire.Entry{old}, Set: []wire.Patch{viewersPatch(old.Code, "9")}, Del: []string{"x"},
		}))
		if got := string(d.End()); got != want {
			t.Errorf("diff:\n got %s\nwant %s", got, want)
		}
	}
}

func viewersPatch(code, value string) wire.Patch {
	return wire.Patch{Code: code, Members: map[string]json.RawMessage{"viewers": json.RawMessage(value)}}
}

func TestBodyWriter(t *testing.T) {
	old, now := bob(), bob()
	now.Viewers = 9
	begin := func() wire.BodyWriter { return wire.BeginDiff(nil, "v", "p", "q") }
	for name, c := range map[string]struct {
		write func() []byte
		want  string
	}{
		"nothing": {func() []byte { b := begin(); return b.End() }, `}`},
		"all": {func() []byte {
			b := begin()
			b.AddTotal(5)
			b.AddPut(&old)
			b.AddPut(&old)
			b.AddSet(&old, &old)
			b.AddSet(&old, &now)
			b.AddSet(&old, &old)
			b.AddSet(&old, &now)
			b.AddDel("x")
			b.AddDel("y")
			return b.End()
		}, `,"total":5,"put":[` + bobJSON + `,` + bobJSON + `],"set":[{"code":"8888_bob","viewers":9},{"code":"8888_bob","viewers":9}],"del":["x","y"]}`},
		"set of equal entries": {func() []byte {
			b := begin()
			if b.AddSet(&old, &old) {
				t.Error("AddSet of equal entries returned true")
			}
			return b.End()
		}, `}`},
		"set of equal entries in between": {func() []byte {
			b := begin()
			b.AddPut(&old)
			b.AddSet(&old, &old)
			b.AddDel("x")
			return b.End()
		}, `,"put":[` + bobJSON + `],"del":["x"]}`},
		"set first": {func() []byte {
			b := begin()
			if !b.AddSet(&old, &now) {
				t.Error("AddSet of different entries returned false")
			}
			return b.End()
		}, `,"set":[{"code":"8888_bob","viewers":9}]}`},
	} {
		if got, want := string(c.write()), `"view":"v","prev":"p","pos":"q"`+c.want; got != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}

	b := wire.BeginSnapshot([]byte("dst,"), "v", "p", 3)
	b.AddStream(&old)
	b.AddStream(&old)
	n := b.Len()
	got, want := string(b.End()), `dst,"view":"v","pos":"p","total":3,"streams":[`+bobJSON+`,`+bobJSON+`]}`
	if got != want || n != len(want)-2 {
		t.Errorf("got %s, Len %d, want %s", got, n, want)
	}
}

func TestEntryMarshalsAndUnmarshals(t *testing.T) {
	data, err := json.Marshal([]wire.Entry{alice(), bob()})
	if err != nil {
		t.Fatal(err)
	}
	// encoding/json escapes & and the like in what MarshalJSON returns.
	var got []wire.Entry
	if err := json.Unmarshal(data, &got); err != nil || !reflect.DeepEqual(got, []wire.Entry{alice(), bob()}) {
		t.Errorf("%s\n got %+v, %v", data, got, err)
	}
	for _, bad := range []string{``, `{`, `[]`, ` {"code":1}`, `{}`} {
		var e wire.Entry
		if err := e.UnmarshalJSON([]byte(bad)); err == nil {
			t.Errorf("UnmarshalJSON(%q) gave %+v, want an error", bad, e)
		}
	}
}

func TestPlayJSONReplacesPlay(t *testing.T) {
	e := bob()
	e.Play = []wire.PlayURL{{"flv", "a"}}
	for play, want := range map[string]string{
		`{"hls":"b"}`: `{"code":"8888_bob","anchor":"bob","title":"","state":"live","started_at":5,"viewers":0,"likes":0,"play":{"hls":"b"}}`,
		``:            bobJSON,
	} {
		e.PlayJSON = []byte(play)
		if got := string(wire.AppendEntry(nil, &e)); got != want {
			t.Errorf("PlayJSON %q\n got %s\nwant %s", play, got, want)
		}
	}

	plain, rendered := e, e
	plain.PlayJSON, rendered.PlayJSON = nil, []byte(`{"flv":"a"}`)
	if got := wire.AppendPatch(nil, &plain, &rendered); len(got) != 0 {
		t.Errorf("equal play, one of them rendered: got the patch %s", got)
	}
	rendered.PlayJSON = []byte(`{"flv":"b"}`)
	if got, want := string(wire.AppendPatch(nil, &plain, &rendered)), `{"code":"8888_bob","play":{"flv":"b"}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPatchRemovesAndReplacesMembers(t *testing.T) {
	a, b := alice(), bob()
	b.Code = a.Code
	want := `{"code":"8888_alice","anchor":"bob","title":"","state":"live","away":null,"started_at":5,"viewers":0,"likes":0,` +
		`"tags":null,"cover":null,"extra":null,"play":null}`
	if got := string(wire.AppendPatch(nil, &a, &b)); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if got := string(wire.AppendPatch([]byte("dst"), &a, &a)); got != "dst" {
		t.Errorf("equal entries: got %s, want dst unchanged", got)
	}
}

func TestApplyPatchRefusesWrongTypes(t *testing.T) {
	for _, member := range []string{`"viewers":"1"`, `"viewers":1.5`, `"tags":[1]`, `"title":{}`, `"play":[]`} {
		e := alice()
		p := wire.Patch{Members: map[string]json.RawMessage{}}
		if err := json.Unmarshal([]byte(`{"likes":99,`+member+`}`), &p.Members); err != nil {
			t.Fatal(err)
		}
		if err := e.ApplyPatch(p); err == nil || !reflect.DeepEqual(e, alice()) {
			t.Errorf("%s: got %v and %+v, want an error and no change", member, err, e)
		}
	}
	e := alice()
	if err := e.ApplyPatch(wire.Patch{Members: map[string]json.RawMessage{"likes": nil}}); err == nil {
		t.Error("ApplyPatch accepted a patch that is not JSON")
	}
}
