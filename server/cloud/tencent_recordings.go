package cloud

import (
	"context"
	"math"
	"strings"
	"time"

	"onair/presence"
)

const (
	recordingsPageSize = 100
	maxRecordings      = 5000 // how many the provider shows of one query
)

// vodFile is a file as VOD describes it.
type vodFile struct {
	FileID    string `json:"FileId"`
	BasicInfo struct {
		CreateTime string
		Type       string
		MediaURL   string `json:"MediaUrl"`
	}
	MetaData *struct {
		Duration float64 // seconds
		Size     int64
	}
}

// ForEachRecording names the recordings of a stream whose files were made from one time to
// another, VOD's SearchMedia: https://cloud.tencent.com/document/api/266/31813. They
// have the ids that recordings have of which a callback tells.
//
// What a file shows ended when the file was made, as far as VOD knows: a callback
// knows it better. A file that is not ready to play is left out. It returns
// ErrIncomplete when there are more than the provider shows: ask for less time.
func (t *Tencent) ForEachRecording(ctx context.Context, code string, from, to time.Time, each func(presence.Recording)) error {
	type span struct{ After, Before string }
	type sort struct{ Field, Order string }
	for offset := 0; offset < maxRecordings; {
		var reply struct {
			TotalCount   *int
			MediaInfoSet []vodFile
		}
		err := t.call(ctx, t.vod, "SearchMedia", struct {
			SubAppID      int64    `json:"SubAppId,omitempty"`
			StreamIDs     []string `json:"StreamIds"`
			SourceTypes   []string
			CreateTime    span
			Sort          sort
			Offset, Limit int
		}{
			t.vodApp,
			[]string{code},
			[]string{"Record"},
			span{from.UTC().Format(time.RFC3339), to.UTC().Format(time.RFC3339)},
			sort{"CreateTime", "Asc"},
			offset, recordingsPageSize,
		}, &reply)
		if err != nil {
			return err
		}
		if reply.TotalCount == nil {
			return errMalformed
		}
		for _, m := range reply.MediaInfoSet {
			rec, err := m.recording(code)
			if err != nil {
				return err
			}
			if rec.Location != "" {
				each(rec)
			}
		}
		if offset += len(reply.MediaInfoSet); len(reply.MediaInfoSet) == 0 || offset >= *reply.TotalCount {
			return nil
		}
	}
	return ErrIncomplete
}

func (m *vodFile) recording(code string) (presence.Recording, error) {
	made, err := time.Parse(time.RFC3339, m.BasicInfo.CreateTime)
	if err != nil || m.FileID == "" {
		return presence.Recording{}, errMalformed
	}
	rec := newTencentRecording(m.FileID, code, m.BasicInfo.MediaURL)
	rec.EndedAt = made.UnixMilli()
	if m.BasicInfo.Type != "" {
		rec.Format = formatByExtension(m.BasicInfo.Type)
	}
	if m.MetaData != nil {
		if m.MetaData.Duration < 0 || m.MetaData.Duration > 1e9 || m.MetaData.Size < 0 {
			return presence.Recording{}, errMalformed
		}
		rec.Duration, rec.Size = int64(math.Round(m.MetaData.Duration*1000)), m.MetaData.Size
	}
	rec.StartedAt = rec.EndedAt - rec.Duration
	return rec, nil
}

// newTencentRecording is a recording but for its times.
func newTencentRecording(file, code, location string) presence.Recording {
	name, _, _ := strings.Cut(location, "?")
	return presence.Recording{
		ID: presence.RecordingID("tencent", file), Provider: "tencent", Code: code, Location: location,
		Format: formatByExtension(name[strings.LastIndexAny(name, "./")+1:]),
	}
}

// formatByExtension is the kind of a file by its ending.
func formatByExtension(ending string) string {
	if ending = strings.ToLower(ending); ending == "m3u8" {
		return "hls"
	}
	return ending
}
