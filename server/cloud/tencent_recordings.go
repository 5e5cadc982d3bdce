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
	maxRecordings      = 5000 // per query, a limit of the API
)

// vodFile is a file in a response of VOD.
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

// ForEachRecording calls yield with each recording of a stream whose file was created
// between two times, by VOD's SearchMedia: https://cloud.tencent.com/document/api/266/31813.
// Their ids are the same as those from callbacks.
//
// EndedAt is the creation time of the file; callbacks are more precise. It skips files
// that are not ready to play. It returns ErrIncomplete if there are more recordings than
// the API returns: use a shorter period.
func (t *Tencent) ForEachRecording(ctx context.Context, code string, from, to time.Time, yield func(presence.Recording)) error {
	type period struct{ After, Before string }
	type sort struct{ Field, Order string }
	for offset := 0; offset < maxRecordings; {
		var reply struct {
			TotalCount   *int
			MediaInfoSet []vodFile
		}
		err := t.callAPI(ctx, t.vod, "SearchMedia", struct {
			SubAppID      int64    `json:"SubAppId,omitempty"`
			StreamIDs     []string `json:"StreamIds"`
			SourceTypes   []string
			CreateTime    period
			Sort          sort
			Offset, Limit int
		}{
			t.vodApp,
			[]string{code},
			[]string{"Record"},
			period{from.UTC().Format(time.RFC3339), to.UTC().Format(time.RFC3339)},
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
				yield(rec)
			}
		}
		if offset += len(reply.MediaInfoSet); len(reply.MediaInfoSet) == 0 || offset >= *reply.TotalCount {
			return nil
		}
	}
	return ErrIncomplete
}

func (m *vodFile) recording(code string) (presence.Recording, error) {
	createdAt, err := time.Parse(time.RFC3339, m.BasicInfo.CreateTime)
	if err != nil || m.FileID == "" {
		return presence.Recording{}, errMalformed
	}
	rec := newTencentRecording(m.FileID, code, m.BasicInfo.MediaURL)
	rec.EndedAt = createdAt.UnixMilli()
	if m.BasicInfo.Type != "" {
		rec.Format = formatOfExtension(m.BasicInfo.Type)
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

// newTencentRecording returns a recording without times.
func newTencentRecording(fileID, code, location string) presence.Recording {
	name, _, _ := strings.Cut(location, "?")
	return presence.Recording{
		ID: presence.RecordingID("tencent", fileID), Provider: "tencent", Code: code, Location: location,
		Format: formatOfExtension(name[strings.LastIndexAny(name, "./")+1:]),
	}
}

// formatOfExtension returns the format of a file with an extension.
func formatOfExtension(extension string) string {
	if extension = strings.ToLower(extension); extension == "m3u8" {
		return "hls"
	}
	return extension
}
