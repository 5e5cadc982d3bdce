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

// chinaTime is what the API's times are in.
var chinaTime = time.FixedZone("UTC+8", 8*60*60)

// legacyFile is a file as the list of recordings has it.
type legacyFile struct {
	FileID       numberOrString `json:"file_id"`
	RecordFileID numberOrString `json:"record_file_id"`
	StartTime    string         `json:"start_time"`
	EndTime      string         `json:"end_time"`
	FileSize     numberOrString `json:"file_size"`
	URL          string         `json:"record_file_url"`
}

// ForEachRecording names the recordings of a stream that began from one time to another,
// Live_Tape_GetFilelist: https://cloud.tencent.com/document/product/267/5960. It asks
// day by day, as the provider wants it. They have the ids that recordings have of
// which a callback tells. A file without a URL, which is not ready to play, is left
// out.
func (t *TencentLegacy) ForEachRecording(ctx context.Context, code string, from, to time.Time, each func(presence.Recording)) error {
	for from := from.In(chinaTime); from.Before(to); {
		midnight := time.Date(from.Year(), from.Month(), from.Day()+1, 0, 0, 0, 0, chinaTime)
		end := midnight.Add(-time.Second)
		if to.Before(end) {
			end = to.In(chinaTime)
		}
		if err := t.forEachRecordingOfDay(ctx, code, from, end, each); err != nil {
			return err
		}
		from = midnight
	}
	return nil
}

// forEachRecordingOfDay reads the pages of one day.
func (t *TencentLegacy) forEachRecordingOfDay(ctx context.Context, code string, from, to time.Time, each func(presence.Recording)) error {
	const action = "Live_Tape_GetFilelist"
	seen := 0
	for page := 1; ; page++ {
		ret, output, err := t.call(ctx, action, url.Values{
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
			return legacyError(action, ret)
		}
		all, recordings, rows, err := decodeLegacyFiles(output, code)
		if err != nil {
			return err
		}
		for _, rec := range recordings {
			each(rec)
		}
		if seen += rows; rows == 0 || seen >= all {
			return nil
		}
	}
}

// decodeLegacyFiles reads a page: how many files there are on all, and those of this page
// that are ready, of its rows.
func decodeLegacyFiles(output []byte, code string) (all int, recordings []presence.Recording, rows int, err error) {
	var page struct {
		AllCount numberOrString `json:"all_count"`
		FileList []legacyFile   `json:"file_list"`
	}
	if json.Unmarshal(output, &page) != nil {
		return 0, nil, 0, errMalformed
	}
	if all, err = strconv.Atoi(string(page.AllCount)); err != nil {
		return 0, nil, 0, errMalformed
	}
	for _, f := range page.FileList {
		if f.URL == "" {
			continue
		}
		began, err := time.ParseInLocation(time.DateTime, f.StartTime, chinaTime)
		if err != nil {
			return 0, nil, 0, errMalformed
		}
		ended, err := time.ParseInLocation(time.DateTime, f.EndTime, chinaTime)
		file := cmp.Or(f.FileID, f.RecordFileID)
		if err != nil || ended.Before(began) || file == "" {
			return 0, nil, 0, errMalformed
		}
		rec := newTencentRecording(string(file), code, f.URL)
		rec.StartedAt, rec.EndedAt = began.UnixMilli(), ended.UnixMilli()
		rec.Duration = rec.EndedAt - rec.StartedAt
		if size, err := strconv.ParseInt(string(f.FileSize), 10, 64); err == nil && size > 0 {
			rec.Size = size
		}
		recordings = append(recordings, rec)
	}
	return all, recordings, len(page.FileList), nil
}
