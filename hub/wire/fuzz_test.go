package wire_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"onair/hub/wire"
)

// fuzzDecoder checks that decode never panics, and that what it returns encodes
// to something that it decodes to the same.
func fuzzDecoder(f *testing.F, samples []sample, decode decoder) {
	for _, s := range samples {
		f.Add([]byte(s.json))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decode(data)
		if err != nil {
			if e, ok := errors.AsType[*wire.Error](err); ok && !json.Valid(wire.Append(nil, e)) {
				t.Fatalf("the error %+v does not encode", e)
			}
			return
		}
		encoded := wire.Append(nil, m)
		again, err := decode(encoded)
		if err != nil {
			t.Fatalf("%s encodes to %s: %v", data, encoded, err)
		}
		if !reflect.DeepEqual(m, again) {
			t.Fatalf("%s encodes to %s\n%#v\n%#v", data, encoded, m, again)
		}
	})
}

func FuzzDecodeAnchor(f *testing.F) { fuzzDecoder(f, anchorSamples(), wire.DecodeAnchorRequest) }

func FuzzDecodeViewer(f *testing.F) { fuzzDecoder(f, viewerSamples(), wire.DecodeViewerRequest) }

func FuzzDecodeServer(f *testing.F) { fuzzDecoder(f, serverSamples(), wire.DecodeServerMessage) }

// What AppendJSONString writes means what encoding/json would have written.
func FuzzString(f *testing.F) {
	for _, s := range []string{
		"", "plain", `"\/`, "\x00\x1f\x7f\b\f\n\r\t", "晚上好 😀", "\xff", "a\xe2\x80", "\xed\xa0\x80", "\u2028\u2029\ufffd", "<&>",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		theirs, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		ours := wire.AppendJSONString([]byte("dst"), s)[3:]
		var got, want string
		if err := json.Unmarshal(ours, &got); err != nil {
			t.Fatalf("%q gives %s: %v", s, ours, err)
		}
		if err := json.Unmarshal(theirs, &want); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Fatalf("%q gives %s, which means %q and not %q", s, ours, got, want)
		}
		for _, r := range string(ours) {
			if r == '\u2028' || r == '\u2029' {
				t.Fatalf("%q gives %s, which is not JavaScript", s, ours)
			}
		}
	})
}

// FuzzCalls: bodies of calls that no socket has give something valid, or a
// wire error.
func FuzzCalls(f *testing.F) {
	for _, in := range []string{`{"until":5,"reason":"spam"}`, `{"code":"8888_a","expires_at":7}`, `{"n":3}`, `{"n":1e99}`, `[]`} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		fault := func(err error) bool {
			if _, ok := errors.AsType[*wire.Error](err); err != nil && !ok {
				t.Fatalf("%v is no wire error", err)
			}
			return err != nil
		}
		if m, err := wire.DecodeBanRequest(data); !fault(err) && (m.Until < 0 || len(m.Reason) > wire.MaxReasonBytes) {
			t.Fatalf("ban %+v", m)
		}
		if m, err := wire.DecodeSignRequest(data); !fault(err) && (m.Code == "" || len(m.Code) > wire.MaxCodeBytes || m.ExpiresAt < 0) {
			t.Fatalf("sign %+v", m)
		}
		if m, err := wire.DecodeLikeBody("8888_a", data); !fault(err) && (m.N < 1 || m.N > wire.MaxLikes) {
			t.Fatalf("like %+v", m)
		}
	})
}

// FuzzPosition: the beginning of any message that the codec writes can be read.
func FuzzPosition(f *testing.F) {
	f.Add("live/viewers/100", "1-2.3", "7")
	f.Fuzz(func(t *testing.T, view, pos, id string) {
		text := wire.Append(nil, &wire.Diff{ID: wire.StringID(id), View: view, Prev: pos, Pos: pos})
		typ, gotView, gotPos := wire.PeekHeader(text)
		m, err := wire.DecodeServerMessage(text)
		if err != nil {
			return // an id that is too long
		}
		if d := m.(*wire.Diff); typ != wire.TypeDiff || gotView != d.View || gotPos != d.Pos {
			t.Fatalf("%s: %q %q %q", text, typ, gotView, gotPos)
		}
	})
}
