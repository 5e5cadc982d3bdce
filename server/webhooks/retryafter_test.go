package webhooks

import (
	"net/http"
	"testing"
	"time"
)

func TestParseRetryAfter(t *testing.T) {
	now := time.Date(2025, 11, 22, 10, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"":                                 0,
		"0":                                0,
		"1":                                time.Second,
		" 120 ":                            2 * time.Minute,
		"3600":                             time.Hour,
		"3601":                             time.Hour,
		"99999999999999999999999999":       time.Hour,
		"00000000000000000000000000007":    7 * time.Second,
		"-1":                               0,
		"+1":                               0,
		"1.5":                              0,
		"1s":                               0,
		"soon":                             0,
		"١":                                0,
		"Sat, 22 Nov 2025 10:00:30 GMT":    30 * time.Second,
		"Sat, 22 Nov 2025 09:59:30 GMT":    0,
		"Sun, 22 Nov 2026 10:00:00 GMT":    time.Hour,
		"Saturday, 22-Nov-25 10:00:30 GMT": 30 * time.Second,
	} {
		if got := parseRetryAfter(value, now); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}

func FuzzParseRetryAfter(f *testing.F) {
	for _, value := range []string{"", "0", "120", "99999999999999999999", "-1", "Sat, 22 Nov 2025 10:00:30 GMT", "x"} {
		f.Add(value, int64(1763805600))
	}
	f.Fuzz(func(t *testing.T, value string, unix int64) {
		got := parseRetryAfter(value, time.Unix(unix, 0))
		if got < 0 || got > maxPause {
			t.Fatalf("%q: %v", value, got)
		}
		if at, err := http.ParseTime(value); err == nil && got > 0 && got < maxPause && !time.Unix(unix, 0).Add(got).Equal(at) {
			t.Fatalf("%q at %d: %v", value, unix, got)
		}
	})
}
