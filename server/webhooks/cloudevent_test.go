package webhooks

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"onair/presence"
)

// sampleEvents returns the events of docs/webhooks.md.
func sampleEvents(t *testing.T) []*presence.OutboxEvent {
	t.Helper()
	session, err := presence.ParseSession("mfrggzdfmztwq2lknnwg23tpoa")
	if err != nil {
		t.Fatal(err)
	}
	const began = 1763830000123
	st := presence.Stream{
		Session: session, Code: "8888_alice", Anchor: "alice", List: "live", Listed: true, Details: presence.Details{Title: "Tea & <talk>", Cover: "https://img.example.com/alice.jpg", Tags: []string{"talk"}, Extra: []byte(`{"level":7}`)},
		StartedAt: began,
	}
	started, away, resumed, over := st, st, st, st
	started.State = presence.Starting
	away.State, away.Away, away.Viewers, away.PeakViewers, away.Likes = presence.Away, presence.MissedBeat, 1180, 1204, 5310
	resumed.State, resumed.Viewers, resumed.PeakViewers, resumed.Likes = presence.Live, 1022, 1204, 5310
	over.State, over.Away, over.Viewers, over.PeakViewers, over.Likes = presence.Away, presence.MediaEnded, 12, 1204, 7002
	rec := presence.Recording{
		ID: "5f0c2e9a7d41b6038ce1", Provider: "tencent", Code: "8888_alice", Anchor: "alice", Session: session, Title: st.Title, Cover: st.Cover,
		StartedAt: began + 2_000, EndedAt: began + 3_600_000, Duration: 3_598_000, Format: "flv", Size: 734003200,
		Location: "http://1252033264.vod2.myqcloud.com/d7a4cafb/f0.flv?sign=s3cret&t=5c271099", SessionTotals: presence.SessionTotals{PeakViewers: 1204, Likes: 7002},
	}
	return []*presence.OutboxEvent{
		{ID: eventID("0b8f2c51d3a94e67a1c05d7e92f4b836"), Kind: presence.StreamStarted, At: began, Stream: &started},
		{ID: eventID("1e49d07ab26c4f83957ad1c0e8b35f24"), Kind: presence.StreamAway, At: began + 125_000, Stream: &away},
		{ID: eventID("27c1a8e06f5d4b9283e4b7d9105cfa63"), Kind: presence.StreamResumed, At: began + 131_500, Stream: &resumed},
		{ID: eventID("3ad56b94e17f4c0ea8b2907cd3f61e58"), Kind: presence.StreamEnded, At: began + 3_600_000, Ended: &presence.Ended{
			Stream: &over, Reason: presence.Stopped, By: "alice", EndedAt: began + 3_600_000,
		}},
		{ID: eventID("4c7e19b2d85a46f39d60e3fb24a87c05"), Kind: presence.RecordingReady, At: began + 3_660_000, Recording: &rec},
	}
}

// eventID returns the id with a text of 32 hexadecimal digits.
func eventID(text string) (id presence.EventID) {
	hex.Decode(id[:], []byte(text))
	return id
}

// TestDocumentedEvents: the examples in docs/webhooks.md are the encoded events.
func TestDocumentedEvents(t *testing.T) {
	text, err := os.ReadFile("../../docs/webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```json\n(.*?)```").FindAllSubmatch(text, -1)
	events := sampleEvents(t)
	if len(blocks) != len(events) {
		t.Fatalf("%d examples, want %d", len(blocks), len(events))
	}
	for i, e := range events {
		var want bytes.Buffer
		if err := json.Compact(&want, blocks[i][1]); err != nil {
			t.Fatalf("%s: %v", e.Kind, err)
		}
		if got := encodeCloudEvent(e); !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%s is\n%s\nwant\n%s", e.Kind, got, want.Bytes())
		}
	}
}

// TestDocumentedReceiver: the Go code in docs/webhooks.md is that of the example.
func TestDocumentedReceiver(t *testing.T) {
	var codes [2]string
	for i, name := range []string{"../../docs/webhooks.md", "example_test.go"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		codes[i] = regexp.MustCompile(`(?s)\treceiver, err := .*?\n}\n`).FindString(string(text))
	}
	if codes[0] == "" || codes[0] != codes[1] {
		t.Errorf("docs/webhooks.md has\n%s\nwant\n%s", codes[0], codes[1])
	}
}

// TestSplitLocation: credentials are removed from URLs; paths stay unchanged.
func TestSplitLocation(t *testing.T) {
	for location, want := range map[string][2]string{
		"":                            {"", ""},
		"/var/rec/8888_alice.flv":     {"", "/var/rec/8888_alice.flv"},
		"https://v.example.com/a.flv": {"https://v.example.com/a.flv", ""},
		"https://user:s3cret@v.example.com:8443/a%2Fb%20c.flv?sign=s3cret#s3cret": {"https://v.example.com:8443/a%2Fb%20c.flv", ""},
		"s3://bucket/a.flv":           {"", "s3://bucket/a.flv"},
		"https:///a.flv":              {"", "https:///a.flv"},
		"http://v.example.com/\x7f?s": {"", "http://v.example.com/\x7f?s"},
	} {
		if link, path := locationAsURLOrPath(location); link != want[0] || path != want[1] {
			t.Errorf("%q: URL %q, path %q", location, link, path)
		}
	}
}

// TestMinimalEvents: unknown members are omitted, and invalid values keep the JSON valid.
func TestMinimalEvents(t *testing.T) {
	for _, e := range []*presence.OutboxEvent{
		{Kind: presence.RecordingReady, Recording: &presence.Recording{ID: "r", Code: "8888_a", Location: "/a.flv"}},
		{Kind: presence.StreamStarted, Stream: &presence.Stream{Code: "8888_a", Details: presence.Details{Title: "\xff\u2028", Extra: []byte("{")}}},
		{Kind: presence.StreamStarted},
	} {
		body := encodeCloudEvent(e)
		if !json.Valid(body) {
			t.Errorf("%q is not JSON", body)
		}
		for _, member := range []string{"cover", "tags", "extra", "away", "url", "size_bytes"} {
			if strings.Contains(string(body), `"`+member+`"`) {
				t.Errorf("%s has %s", body, member)
			}
		}
	}
}
