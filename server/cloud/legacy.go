package cloud

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5" // the provider's choice, not ours
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"onair/presence"
)

// LegacyConfig is what a TencentLegacy client needs.
type LegacyConfig struct {
	AppID, Key string
	URL        string // empty: the usual one
}

// TencentLegacy is the API of Tencent's live codes of before 2018, see
// https://cloud.tencent.com/document/product/267/5956 and after. Calls are signed by
// MD5(key + t), t the end of their validity.
type TencentLegacy struct {
	// Static after construction.
	line   *line
	config func() LegacyConfig
}

// NewTencentLegacy returns a client.
func NewTencentLegacy(c LegacyConfig, o Options) *TencentLegacy {
	c.URL = cmp.Or(c.URL, "http://fcgi.video.qcloud.com/common_access")
	return &TencentLegacy{newLine(o), func() LegacyConfig { return c }}
}

// validFor is for how long a signed call holds.
const validFor = 5 * time.Minute

// unpushed is how the API says that there was never a push under a name.
const unpushed = 20601

// text is a number that the API writes as one, or as a string.
type text string

// UnmarshalJSON takes either.
func (t *text) UnmarshalJSON(b []byte) error {
	*t = text(bytes.Trim(b, `"`))
	return nil
}

// call makes one call, and returns the code of its answer, and what it puts out.
func (t *TencentLegacy) call(ctx context.Context, action string, parameters url.Values) (ret int, output json.RawMessage, err error) {
	c := t.config()
	ends := strconv.FormatInt(time.Now().Add(validFor).Unix(), 10)
	sum := md5.Sum([]byte(c.Key + ends))
	q := url.Values{"appid": {c.AppID}, "interface": {action}, "t": {ends}, "sign": {hex.EncodeToString(sum[:])}}
	maps.Copy(q, parameters)
	raw, err := t.line.send(ctx, http.MethodGet, c.URL+"?"+q.Encode(), nil, nil)
	if err != nil {
		return 0, nil, err
	}
	var reply struct {
		Ret    *text
		Output json.RawMessage
	}
	if json.Unmarshal(raw, &reply) != nil || reply.Ret == nil {
		return 0, nil, errReply
	}
	if ret, err = strconv.Atoi(string(*reply.Ret)); err != nil {
		return 0, nil, errReply
	}
	if ret == 1202 {
		return ret, nil, ErrBusy
	}
	return ret, reply.Output, nil
}

// refused is what an answer is that says neither yes nor no.
func refused(action string, ret int) error {
	return fmt.Errorf("cloud: tencent: %s answers %d", action, ret)
}

// IsOnline asks for one stream, Live_Channel_GetStatus. An answer that says nothing
// of the stream is an error, not a no.
func (t *TencentLegacy) IsOnline(ctx context.Context, code string) (bool, error) {
	const action = "Live_Channel_GetStatus"
	ret, output, err := t.call(ctx, action, url.Values{"Param.s.channel_id": {code}})
	switch {
	case err != nil:
		return false, err
	case ret == unpushed:
		return false, nil
	case ret != 0:
		return false, refused(action, ret)
	}
	var streams []struct{ Status text }
	if json.Unmarshal(output, &streams) != nil || len(streams) == 0 {
		return false, errReply
	}
	for _, s := range streams {
		switch s.Status {
		case "1":
			return true, nil
		case "0", "3":
		default:
			return false, errReply
		}
	}
	return false, nil
}

// set is Live_Channel_SetStatus: 0 forbids, 1 allows, 2 cuts.
func (t *TencentLegacy) set(ctx context.Context, code string, status int) error {
	const action = "Live_Channel_SetStatus"
	ret, _, err := t.call(ctx, action, url.Values{"Param.s.channel_id": {code}, "Param.n.status": {strconv.Itoa(status)}})
	if err == nil && ret != 0 && ret != unpushed {
		err = refused(action, ret)
	}
	return err
}

// Cut ends a push; it may begin again.
func (t *TencentLegacy) Cut(ctx context.Context, code string) error { return t.set(ctx, code, 2) }

// Forbid ends a push and refuses others until Allow: this API knows no time.
func (t *TencentLegacy) Forbid(ctx context.Context, code string, _ time.Time, _ string) error {
	return t.set(ctx, code, 0)
}

// Allow undoes Forbid.
func (t *TencentLegacy) Allow(ctx context.Context, code string) error { return t.set(ctx, code, 1) }

// beijing is what the API's times are in.
var beijing = time.FixedZone("", 8*60*60)

// Recordings names the recordings of a stream that began in a time,
// Live_Tape_GetFilelist, day by day as the API wants it.
func (t *TencentLegacy) Recordings(ctx context.Context, code string, from, to time.Time, each func(presence.Recording)) error {
	const action = "Live_Tape_GetFilelist"
	for day := from.In(beijing); day.Before(to); {
		next := time.Date(day.Year(), day.Month(), day.Day()+1, 0, 0, 0, 0, beijing)
		for page, seen := 1, 0; ; page++ {
			ret, output, err := t.call(ctx, action, url.Values{
				"Param.s.channel_id": {code}, "Param.n.page_no": {strconv.Itoa(page)}, "Param.n.page_size": {strconv.Itoa(onPage)},
				"Param.s.start_time": {day.Format(time.DateTime)}, "Param.s.end_time": {earlier(next.Add(-time.Second), to).In(beijing).Format(time.DateTime)},
			})
			if err != nil {
				return err
			}
			if ret != 0 && ret != unpushed && ret != 10003 { // 10003: none
				return refused(action, ret)
			}
			var list struct {
				AllCount text `json:"all_count"`
				Files    []struct {
					FileID text   `json:"file_id"`
					Start  string `json:"start_time"`
					End    string `json:"end_time"`
					URL    string `json:"record_file_url"`
				} `json:"file_list"`
			}
			if ret == 0 && json.Unmarshal(output, &list) != nil {
				return errReply
			}
			for _, f := range list.Files {
				began, err := time.ParseInLocation(time.DateTime, f.Start, beijing)
				ended, err2 := time.ParseInLocation(time.DateTime, f.End, beijing)
				if err != nil || err2 != nil || f.FileID == "" || ended.Before(began) {
					return errReply
				}
				if f.URL == "" {
					continue // it is not ready yet
				}
				each(presence.Recording{
					ID: presence.RecordingID("tencent", string(f.FileID)), Provider: "tencent", Code: code, Format: formatOf(f.URL),
					StartedAt: began.UnixMilli(), EndedAt: ended.UnixMilli(), Duration: ended.Sub(began).Milliseconds(), Location: f.URL,
				})
			}
			seen += len(list.Files)
			if all, _ := strconv.Atoi(string(list.AllCount)); len(list.Files) == 0 || seen >= all {
				break
			}
		}
		day = next
	}
	return nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// formatOf is the kind of a file by its name.
func formatOf(link string) string {
	name := link[strings.LastIndexByte(link, '/')+1:]
	return strings.ToLower(name[strings.LastIndexByte(name, '.')+1:])
}
