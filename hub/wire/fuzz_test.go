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

func FuzzDecodeAnchor(f *testing.F) { fuzzDecoder(f, anchorSamples(), wire.DecodeAnchor) }

func FuzzDecodeViewer(f *testing.F) { fuzzDecoder(f, viewerSamples(), wire.DecodeViewer) }

func FuzzDecodeServer(f *testing.F) { fuzzDecoder(f, serverSamples(), wire.DecodeServer) }

// What AppendString writes means what encoding/json would have written.
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
		ours := wire.AppendString([]byte("dst"), s)[3:]
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
