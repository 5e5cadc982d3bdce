package hooks

import (
	"errors"
	"testing"
)

func TestParseJSONObject(t *testing.T) {
	for _, body := range []string{
		"", "null", "[]", "1", `"x"`, "{", `{"a"}`, `{"a":}`, `{"a":1}x`, `{"a":1}{}`, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{a:1}`, "{\"a\":1}\x00",
	} {
		if m, err := parseStrictJSONObject([]byte(body)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v, %v", body, m, err)
		}
	}
	m, err := parseStrictJSONObject([]byte(` {"text":"x\u00e9","number":12,"quoted":"34","fraction":1.5,"null":null,"list":[1],"yes":true,"big":1e9,"long":1234567890123456,"minus":-3,"A":1,"a":2} `))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"text": "xé", "number": "12", "quoted": "34", "fraction": "1.5", "null": "", "list": "", "yes": "", "none": "", "A": "1", "a": "2",
	} {
		if got := m.stringOrNumber(name); got != want {
			t.Errorf("text(%s) = %q", name, got)
		}
	}
	for name, want := range map[string]int64{"number": 12, "quoted": 34, "fraction": -1, "text": -1, "null": -1, "big": -1, "long": -1, "minus": -1} {
		got, ok := m.wholeNumber(name)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("number(%s) = %d", name, got)
		}
	}
	for name, want := range map[string]int64{"number": 12_000, "quoted": 34_000, "fraction": 1_500, "text": 0, "minus": 0, "big": 1e12} {
		if got := m.secondsAsMillis(name); got != want {
			t.Errorf("secondsAsMillis(%s) = %d", name, got)
		}
	}
	for _, s := range []string{"NaN", "Inf", "1e300", "", "0x10p1000"} {
		if got := parseSecondsAsMillis(s); got != 0 {
			t.Errorf("parseSeconds(%s) = %d", s, got)
		}
	}
}

func TestRecordingFileNames(t *testing.T) {
	for file, want := range map[string]struct {
		format string
		start  int64
	}{
		"/rec/8888_a-1795610284.flv":    {"flv", 1795610284_000},
		"/rec/8888_a.1795610284123.mp4": {"mp4", 1795610284_123},
		"/rec/8888_a.flv":               {"flv", 0},
		"/rec/8888_a-17956102841.flv":   {"flv", 0},
		"/rec/8888_a-x795610284.flv":    {"flv", 0},
		"/rec/8888_ab-1795610284.flv":   {"flv", 0},
		"/rec/8888_a-":                  {"", 0},
		"/1795610284-8888_a/x.M3U8":     {"hls", 0},
		"8888_a":                        {"", 0},
		"":                              {"", 0},
	} {
		if format, start := knownFormatOfFile(file), startTimeFromFileName(file, "8888_a"); format != want.format || start != want.start {
			t.Errorf("%s: %q, %d", file, format, start)
		}
	}
}
