package cloud

import (
	"cmp"
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"time"

	"onair/presence"
)

// chinaTime is the time zone of the API.
var chinaTime = time.FixedZone("UTC+8", 8*60*60)

// legacyFile is a file in the list of recordings.
type legacyFile struct {
	FileID       numberOrString `json:"file_id"`
	RecordFileID numberOrString `json:"record_file_id"`
	StartTime    string         `json:"start_time"`
	EndTime      string         `json:"end_time"`
	FileSize     numberOrString `json:"file_size"`
	URL          string         `json:"record_file_url"`
}

// ForEachRecording calls yield with each recording of a stream that began between two
// times, by Live_Tape_GetFilelist: https://cloud.tencent.com/document/product/267/5960. The
// API needs one query for each day. Their ids are the same as those from callbacks. It
// skips files without a URL, which are not ready to play.
func (t *TencentLegacy) ForEachRecording(ctx context.Context, code string, from, to time.Time, yield func(presence.Recording)) error {
	for from := from.In(chinaTime); from.Before(to); {
		midnight := time.Date(from.Year(), from.Month(), from.Day()+1, 0, 0, 0, 0, chinaTime)
		end := midnight.Add(-time.Second)
		if to.Before(end) {
			end = to.In(chinaTime)
		}
		if err := t.forEachRecordingOfDay(ctx, code, from, end, yield); err != nil {
			return err
		}
		from = midnight
	}
	return nil
}

// forEachRecordingOfDay calls yield with the recordings of one day.
func (t *TencentLegacy) forEachRecordingOfDay(ctx context.Context, code string, from, to time.Time, yield func(presence.Recording)) error {
	const action = "Live_Tape_GetFilelist"
	seen := 0
	for page := 1; ; page++ {
		ret, output, err := t.callAPI(ctx, action, url.Values{
			"Param.s.channel_id": {code}, "Param.s.sort_type": {"asc"},
			"Param.n.page_no": {strconv.Itoa(page)}, "Param.n.page_size": {strconv.Itoa(recordingsPageSize)},
			"Param.s.start_time": {from.Format(time.DateTime)}, "Param.s.end_time": {to.Format(time.DateTime)},
		})
		switch {
		case err != nil:
			return err
		case ret == retNeverPushed, ret == retEmpty:
			return nil
		case ret != retOK:
			return newLegacyError(action, ret)
		}
		total, recordings, rows, err := decodeLegacyRecordingsPage(output, code)
		if err != nil {
			return err
		}
		for _, rec := range recordings {
			yield(rec)
		}
		if seen += rows; rows == 0 || seen >= total {
			return nil
		}
	}
}

// decodeLegacyRecordingsPage decodes a page. It returns the number of files on all
// pages, the recordings of this page that are ready to play, and the number of its files.
func decodeLegacyRecordingsPage(output []byte, code string) (totalFiles int, recordings []presence.Recording, pageFiles int, err error) {
	var page struct {
		AllCount numberOrString `json:"all_count"`
		FileList []legacyFile   `json:"file_list"`
	}
	if json.Unmarshal(output, &page) != nil {
		return 0, nil, 0, errMalformed
	}
	if totalFiles, err = strconv.Atoi(string(page.AllCount)); err != nil {
		return 0, nil, 0, errMalformed
	}
	for _, f := range page.FileList {
		if f.URL == "" {
			continue
		}
		startedAt, err := time.ParseInLocation(time.DateTime, f.StartTime, chinaTime)
		if err != nil {
			return 0, nil, 0, errMalformed
		}
		endedAt, err := time.ParseInLocation(time.DateTime, f.EndTime, chinaTime)
		file := cmp.Or(f.FileID, f.RecordFileID)
		if err != nil || endedAt.Before(startedAt) || file == "" {
			return 0, nil, 0, errMalformed
		}
		rec := newTencentRecording(string(file), code, f.URL)
		rec.StartedAt, rec.EndedAt = startedAt.UnixMilli(), endedAt.UnixMilli()
		rec.Duration = rec.EndedAt - rec.StartedAt
		if size, err := strconv.ParseInt(string(f.FileSize), 10, 64); err == nil && size > 0 {
			rec.Size = size
		}
		recordings = append(recordings, rec)
	}
	return totalFiles, recordings, len(page.FileList), nil
}
