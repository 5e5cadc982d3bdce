package wire_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"onair/hub/wire"
)

// fuzzDecoder checks that decode never panics, and that a decoded message encodes
// to JSON that decodes to an equal message.
func fuzzDecoder(f *testing.F, samples []sample, decode decodeFunc) {
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

func FuzzDecodeAnchorRequest(f *testing.F) { fuzzDecoder(f, anchorSamples(), wire.DecodeAnchorRequest) }

func FuzzDecodeViewerRequest(f *testing.F) { fuzzDecoder(f, viewerSamples(), wire.DecodeViewerRequest) }

func FuzzDecodeServerMessage(f *testing.F) { fuzzDecoder(f, serverSamples(), wire.DecodeServerMessage) }

// FuzzAppendJSONString checks that the result has the same content as the result
// of encoding/json.
func FuzzAppendJSONString(f *testing.F) {
	for _, s := range []string{
		"", "plain", `"\/`, "\x00\x1f\x7f\b\f\n\r\t", "晚上好 😀", "\xff", "a\xe2\x80", "\xed\xa0\x80", "\u2028\u2029\ufffd", "<&>",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		standard, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		encoded := wire.AppendJSONString([]byte("dst"), s)[3:]
		var got, want string
		if err := json.Unmarshal(encoded, &got); err != nil {
			t.Fatalf("%q gives %s: %v", s, encoded, err)
		}
		if err := json.Unmarshal(standard, &want); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Fatalf("%q gives %s, which means %q, want %q", s, encoded, got, want)
		}
		for _, r := range string(encoded) {
			if r == '\u2028' || r == '\u2029' {
				t.Fatalf("%q gives %s, which is not JavaScript", s, encoded)
			}
		}
	})
}

// FuzzHTTPRequests checks that a request that only HTTP has decodes to a valid
// value or gives a wire error.
func FuzzHTTPRequests(f *testing.F) {
	for _, in := range []string{`{"until":5,"reason":"spam"}`, `{"code":"8888_a","expires_at":7}`, `{"n":3}`, `{"n":1e99}`, `[]`} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		isRefused := func(err error) bool {
			if _, ok := errors.AsType[*wire.Error](err); err != nil && !ok {
				t.Fatalf("%v is not a wire error", err)
			}
			return err != nil
		}
		if m, err := wire.DecodeBanRequest(data); !isRefused(err) && (m.Until < 0 || len(m.Reason) > wire.MaxReasonBytes) {
			t.Fatalf("ban %+v", m)
		}
		if m, err := wire.DecodeSignRequest(data); !isRefused(err) && (m.Code == "" || len(m.Code) > wire.MaxCodeBytes || m.ExpiresAt < 0) {
			t.Fatalf("sign %+v", m)
		}
		if m, err := wire.DecodeLikeBody("8888_a", data); !isRefused(err) && (m.N < 1 || m.N > wire.MaxLikes) {
			t.Fatalf("like %+v", m)
		}
	})
}

// FuzzPeekHeader checks that PeekHeader reads every diff.
func FuzzPeekHeader(f *testing.F) {
	f.Add("live/viewers/100", "1-2.3", "7")
	f.Fuzz(func(t *testing.T, view, pos, id string) {
		text := wire.Append(nil, &wire.Diff{ID: wire.StringID(id), View: view, Prev: pos, Pos: pos})
		typ, gotView, gotPos := wire.PeekHeader(text)
		m, err := wire.DecodeServerMessage(text)
		if err != nil {
			return // the id is too long
		}
		if d := m.(*wire.Diff); typ != wire.TypeDiff || gotView != d.View || gotPos != d.Pos {
			t.Fatalf("%s: %q %q %q", text, typ, gotView, gotPos)
		}
	})
}
