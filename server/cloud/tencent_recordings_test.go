package cloud

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"onair/presence"
)

// vodFileInfo returns a file in the format of a VOD response.
func vodFileInfo(id, created, kind, link string, seconds float64, size int64) map[string]any {
	return map[string]any{
		"FileId":    id,
		"BasicInfo": map[string]any{"CreateTime": created, "Type": kind, "MediaUrl": link, "Name": "x", "SourceInfo": map[string]any{"SourceType": "Record"}},
		"MetaData":  map[string]any{"Duration": seconds, "Size": size, "Rotate": 0},
	}
}

func collectRecordings(ctx context.Context, forEachRecording func(context.Context, string, time.Time, time.Time, func(presence.Recording)) error, from, to time.Time) (recordings []presence.Recording, err error) {
	err = forEachRecording(ctx, "8888_alice", from, to, func(r presence.Recording) { recordings = append(recordings, r) })
	return recordings, err
}

func TestTencentRecordings(t *testing.T) {
	sim := newSimulatedCloud()
	const link = "http://1252033264.vod2.myqcloud.com/a/b/f0.flv"
	sim.AddVODFile(vodFileInfo("5285890782777207037", "2026-01-02T03:04:05Z", "flv", link, 62.4996, 4571794))
	sim.AddVODFile(vodFileInfo("5285890782777207038", "2026-01-02T11:04:05+08:00", "m3u8", link, 0, 0))
	sim.AddVODFile(vodFileInfo("5285890782777207039", "2026-01-02T03:04:05Z", "mp4", "", 1, 1)) // not ready to play
	unknown := vodFileInfo("5285890782777207040", "2026-01-02T03:04:05Z", "", "http://x.y/f0.MP4?t=a/b.c", 1, 1)
	unknown["MetaData"] = nil
	sim.AddVODFile(unknown)

	from, to := time.Date(2026, 1, 2, 0, 0, 0, 0, time.FixedZone("", 8*3600)), time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC)
	client := newTencentClient(t, sim, func(c *TencentConfig) { c.VODApp = 1500004532 })
	got, err := collectRecordings(t.Context(), client.ForEachRecording, from, to)
	if err != nil {
		t.Fatal(err)
	}
	endedAt := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixMilli()
	rec := presence.Recording{ID: presence.RecordingID("tencent", "5285890782777207037"), Provider: "tencent", Code: "8888_alice"}
	rec.StartedAt, rec.EndedAt, rec.Duration, rec.Format, rec.Size, rec.Location = endedAt-62500, endedAt, 62500, "flv", 4571794, link
	hls, mp4 := rec, rec
	hls.ID, hls.StartedAt, hls.Duration, hls.Format, hls.Size = presence.RecordingID("tencent", "5285890782777207038"), endedAt, 0, "hls", 0
	mp4.ID, mp4.StartedAt, mp4.Duration, mp4.Format, mp4.Size = presence.RecordingID("tencent", "5285890782777207040"), endedAt, 0, "mp4", 0
	mp4.Location = "http://x.y/f0.MP4?t=a/b.c"
	if want := []presence.Recording{rec, hls, mp4}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	body := sim.Calls()[0].Body
	if got := fmt.Sprintf("%v %v %v %.0f", body["StreamIds"], body["SourceTypes"], body["CreateTime"], body["SubAppId"]); got != "[8888_alice] [Record] map[After:2026-01-01T16:00:00Z Before:2026-01-03T00:00:00Z] 1500004532" {
		t.Errorf("request: %s", got)
	}
}

func TestTencentRecordingsPages(t *testing.T) {
	now := time.Now()
	for n, isIncomplete := range map[int]bool{0: false, 1: false, 100: false, 101: false, 1234: false, 5000: false, 5001: true} {
		sim := newSimulatedCloud()
		for i := range n {
			sim.AddVODFile(vodFileInfo(fmt.Sprint(i), "2026-01-02T03:04:05Z", "flv", "http://x/f0.flv", 1, 1))
		}
		got, err := collectRecordings(t.Context(), newTencentClient(t, sim, nil).ForEachRecording, now, now)
		if len(got) != min(n, 5000) || errors.Is(err, ErrIncomplete) != isIncomplete || !isIncomplete && err != nil {
			t.Errorf("%d: %d recordings, %v", n, len(got), err)
		}
	}
}

func TestTencentRecordingsMalformed(t *testing.T) {
	const link = "http://x/f0.flv"
	for name, file := range map[string]map[string]any{
		"no id":               vodFileInfo("", "2026-01-02T03:04:05Z", "flv", link, 1, 1),
		"no time":             vodFileInfo("1", "", "flv", link, 1, 1),
		"a local time":        vodFileInfo("1", "2026-01-02 03:04:05", "flv", link, 1, 1),
		"a negative duration": vodFileInfo("1", "2026-01-02T03:04:05Z", "flv", link, -1, 1),
		"too long":            vodFileInfo("1", "2026-01-02T03:04:05Z", "flv", link, 1e30, 1),
		"a negative size":     vodFileInfo("1", "2026-01-02T03:04:05Z", "flv", link, 1, -1),
	} {
		sim := newSimulatedCloud()
		sim.AddVODFile(file)
		if got, err := collectRecordings(t.Context(), newTencentClient(t, sim, nil).ForEachRecording, time.Now(), time.Now()); len(got) > 0 || err == nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}
