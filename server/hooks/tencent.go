package hooks

import (
	"crypto/md5" // the provider's choice, not ours
	"crypto/subtle"
	"encoding/hex"
	"strconv"
	"time"
)

// tencentBody is what Tencent Cloud Live posts. See
// https://cloud.tencent.com/document/product/267/32744 for how, and
// https://cloud.tencent.com/document/product/267/47025, …/47026 and …/47028 for
// what.
type tencentBody struct {
	T         number
	Sign      string
	EventType *number `json:"event_type"`
	AppName   string  `json:"appname"`
	StreamID  string  `json:"stream_id"`
	ChannelID string  `json:"channel_id"`
	EventTime number  `json:"event_time"`
	Sequence  string
	Param     string `json:"stream_param"`

	// Of a recording.
	FileID    string `json:"file_id"`
	Format    string `json:"file_format"`
	StartTime number `json:"start_time"`
	EndTime   number `json:"end_time"`
	Duration  number
	Size      number `json:"file_size"`
	VideoURL  string `json:"video_url"`

	// Of a snapshot.
	PicURL     string `json:"pic_url"`
	PicFullURL string `json:"pic_full_url"`
}

// tencentEvents are the events that are known, by their numbers.
var tencentEvents = map[number]string{
	0: "stop", 1: "start", 100: "record", 200: "snapshot", 317: "audit", 318: "audit", 321: "anomaly", 332: "record_state", 341: "record_anomaly",
}

// Tencent reads a callback of Tencent Cloud Live. With a key it must be signed,
//
//	sign = lower-case hex of MD5(key + t), t the end of its validity in Unix seconds
//
// which covers nothing else of the body: whoever has seen one callback can make
// any other until then. So the path should be secret as well.
//
// A push is named by its sequence, which its start and its end share and no other
// push has. An event that is not known is Nothing: the cloud adds some at times. It
// returns ErrMalformed, ErrForged or ErrExpired.
func Tencent(body []byte, key string, now time.Time) (Event, error) {
	var b tencentBody
	if err := object(body, &b); err != nil {
		return Event{}, err
	}
	if b.EventType == nil {
		return Event{}, ErrMalformed
	}
	e := Event{Kind: Nothing, Name: tencentEvents[*b.EventType], App: b.AppName, Code: b.StreamID}
	if e.Name == "" {
		e.Name = "other"
	}
	if key != "" {
		sum := md5.Sum([]byte(key + strconv.FormatInt(int64(b.T), 10)))
		if subtle.ConstantTimeCompare([]byte(hex.EncodeToString(sum[:])), []byte(b.Sign)) == 0 {
			return e, ErrForged
		}
		if now.Unix() >= int64(b.T) {
			return e, ErrExpired
		}
	}
	if e.Code == "" {
		e.Code = b.ChannelID
	}
	switch *b.EventType {
	case 0, 1:
		if b.Sequence == "" || len(b.Sequence) > 64 {
			return e, ErrMalformed
		}
		e.Media, e.Unique, e.Kind = b.Sequence, true, Done
		if *b.EventType == 1 {
			e.Kind, e.Since, e.Query = Publish, seconds(b.EventTime), b.Param
		}
	case 100:
		if b.FileID == "" || b.VideoURL == "" {
			return e, ErrMalformed
		}
		e.Kind = Recorded
		e.File = File{
			Name: b.FileID, Location: b.VideoURL, Format: b.Format, EndedAt: seconds(b.EndTime),
			Duration: seconds(b.Duration), Size: int64(max(0, b.Size)), StartedAt: seconds(b.StartTime),
		}
		if e.File.Duration > 0 { // what it shows begins later than the task
			e.File.StartedAt = e.File.EndedAt - e.File.Duration
		}
	case 200:
		e.Kind, e.Picture = Pictured, b.PicFullURL
		if e.Picture == "" {
			e.Picture = b.PicURL
		}
	}
	return e, nil
}
