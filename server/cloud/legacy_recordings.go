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

// china is what the API's times are in.
var china = time.FixedZone("UTC+8", 8*60*60)

// tape is a file as the list of recordings has it.
type tape struct {
	FileID       scalar `json:"file_id"`
	RecordFileID scalar `json:"record_file_id"`
	StartTime    string `json:"start_time"`
	EndTime      string `json:"end_time"`
	FileSize     scalar `json:"file_size"`
	URL          string `json:"record_file_url"`
}

// Recordings names the recordings of a stream that began from one time to another,
// Live_Tape_GetFilelist: https://cloud.tencent.com/document/product/267/5960. It asks
// day by day, as the provider wants it. They have the ids that recordings have of
// which a callback tells. A file without a URL, which is not ready to play, is left
// out.
func (t *TencentLegacy) Recordings(ctx context.Context, code string, from, to time.Time, each func(presence.Recording)) error {
	for from := from.In(china); from.Before(to); {
		midnight := time.Date(from.Year(), from.Month(), from.Day()+1, 0, 0, 0, 0, china)
		end := midnight.Add(-time.Second)
		if to.Before(end) {
			end = to.In(china)
		}
		if err := t.recordingsOfDay(ctx, code, from, end, each); err != nil {
			return err
		}
		from = midnight
	}
	return nil
}

// recordingsOfDay reads the pages of one day.
func (t *TencentLegacy) recordingsOfDay(ctx context.Context, code string, from, to time.Time, each func(presence.Recording)) error {
	const action = "Live_Tape_GetFilelist"
	seen := 0
	for page := 1; ; page++ {
		ret, output, err := t.call(ctx, action, url.Values{
			"Param.s.channel_id": {code}, "Param.s.sort_type": {"asc"},
			"Param.n.page_no": {strconv.Itoa(page)}, "Param.n.page_size": {strconv.Itoa(recordingsPage)},
			"Param.s.start_time": {from.Format(time.DateTime)}, "Param.s.end_time": {to.Format(time.DateTime)},
		})
		switch {
		case err != nil:
			return err
		case ret == retNeverPushed, ret == retEmpty:
			return nil
		case ret != retOK:
			return refused(action, ret)
		}
		all, recordings, rows, err := readTapes(output, code)
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

// readTapes reads a page: how many files there are on all, and those of this page
// that are ready, of its rows.
func readTapes(output []byte, code string) (all int, recordings []presence.Recording, rows int, err error) {
	var page struct {
		AllCount scalar `json:"all_count"`
		FileList []tape `json:"file_list"`
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
		began, err := time.ParseInLocation(time.DateTime, f.StartTime, china)
		if err != nil {
			return 0, nil, 0, errMalformed
		}
		ended, err := time.ParseInLocation(time.DateTime, f.EndTime, china)
		file := cmp.Or(f.FileID, f.RecordFileID)
		if err != nil || ended.Before(began) || file == "" {
			return 0, nil, 0, errMalformed
		}
		rec := tencentRecording(string(file), code, f.URL)
		rec.StartedAt, rec.EndedAt = began.UnixMilli(), ended.UnixMilli()
		rec.Duration = rec.EndedAt - rec.StartedAt
		if size, err := strconv.ParseInt(string(f.FileSize), 10, 64); err == nil && size > 0 {
			rec.Size = size
		}
		recordings = append(recordings, rec)
	}
	return all, recordings, len(page.FileList), nil
}
