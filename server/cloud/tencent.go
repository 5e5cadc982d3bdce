package cloud

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"onair/presence"
)

// TencentConfig is what a Tencent client needs.
type TencentConfig struct {
	SecretID, SecretKey string
	Domain, App         string // of pushes
	URL                 string // of the live API; empty: the usual one
	VODURL              string // of VOD's
}

// Tencent is Tencent Cloud's API of today: live, version 2018-08-01, and for
// recordings vod, version 2018-07-17.
type Tencent struct {
	// Static after construction.
	line   *line
	config func() TencentConfig // a function: nothing that prints values looks into one
}

// NewTencent returns a client.
func NewTencent(c TencentConfig, o Options) *Tencent {
	c.URL = cmp.Or(c.URL, "https://live.tencentcloudapi.com")
	c.VODURL = cmp.Or(c.VODURL, "https://vod.tencentcloudapi.com")
	return &Tencent{newLine(o), func() TencentConfig { return c }}
}

// stream names a stream in requests.
type stream struct {
	AppName    string
	DomainName string
	StreamName string `json:",omitempty"`
}

func (t *Tencent) stream(code string) stream {
	c := t.config()
	return stream{c.App, c.Domain, code}
}

// call makes one call, whose answer it reads into reply.
func (t *Tencent) call(ctx context.Context, service, action string, request, reply any) error {
	c := t.config()
	link, version := c.URL, "2018-08-01"
	if service == "vod" {
		link, version = c.VODURL, "2018-07-17"
	}
	u, err := url.Parse(link)
	if err != nil {
		return fmt.Errorf("cloud: tencent: the URL of %s cannot be read", service)
	}
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	now := time.Now()
	raw, err := t.line.send(ctx, http.MethodPost, u.Scheme+"://"+u.Host+"/", http.Header{
		"Content-Type": {"application/json; charset=utf-8"}, "Authorization": {authorization(c.SecretID, c.SecretKey, service, u.Host, now, body)},
		"X-Tc-Action": {action}, "X-Tc-Version": {version}, "X-Tc-Timestamp": {strconv.FormatInt(now.Unix(), 10)},
	}, body)
	if err != nil {
		return err
	}
	var answer struct{ Response json.RawMessage }
	var refusal struct {
		Error struct{ Code, Message string }
	}
	if json.Unmarshal(raw, &answer) != nil || len(answer.Response) == 0 || json.Unmarshal(answer.Response, &refusal) != nil {
		return errReply
	}
	switch code := refusal.Error.Code; {
	case strings.HasPrefix(code, "RequestLimitExceeded"):
		return ErrBusy
	case code != "":
		return apiError{action, code}
	}
	if reply != nil && json.Unmarshal(answer.Response, reply) != nil {
		return errReply
	}
	return nil
}

// apiError is what the API answers instead of doing what it was asked for.
type apiError struct{ action, code string }

// Error names the call and the provider's code for what is wrong.
func (e apiError) Error() string { return "cloud: tencent: " + e.action + ": " + e.code }

// onPage is how many streams one page of the list has: as many as it can.
const onPage = 100

// Online names every stream that is pushed to the domain, DescribeLiveStreamOnlineList
// page by page. When it returns an error those it has named are online, and nothing
// is known of others.
func (t *Tencent) Online(ctx context.Context, each func(code string)) error {
	for page := 1; ; page++ {
		var reply struct {
			TotalPage  *int
			OnlineInfo []struct{ StreamName string }
		}
		err := t.call(ctx, "live", "DescribeLiveStreamOnlineList", struct {
			stream
			PageNum, PageSize int
		}{t.stream(""), page, onPage}, &reply)
		if err != nil {
			return err
		}
		if reply.TotalPage == nil {
			return errReply
		}
		for _, s := range reply.OnlineInfo {
			each(s.StreamName)
		}
		if page >= *reply.TotalPage {
			return nil
		}
	}
}

// IsOnline asks for one stream, DescribeLiveStreamState. One that may not be pushed
// is not online.
func (t *Tencent) IsOnline(ctx context.Context, code string) (bool, error) {
	var reply struct{ StreamState string }
	if err := t.call(ctx, "live", "DescribeLiveStreamState", t.stream(code), &reply); err != nil {
		return false, err
	}
	switch reply.StreamState {
	case "active":
		return true, nil
	case "inactive", "forbid":
		return false, nil
	}
	return false, errReply
}

// done takes the word that there is no such stream for what was asked for.
func done(err error) error {
	if e, refused := err.(apiError); refused && (strings.HasPrefix(e.code, "ResourceNotFound") || strings.HasPrefix(e.code, "FailedOperation.StreamNotExist")) {
		return nil
	}
	return err
}

// Cut ends a push, DropLiveStream; it may begin again.
func (t *Tencent) Cut(ctx context.Context, code string) error {
	return done(t.call(ctx, "live", "DropLiveStream", t.stream(code), nil))
}

// longestForbid is for how long the cloud refuses pushes at the most.
const longestForbid = 90 * 24 * time.Hour

// Forbid ends a push and refuses others until a time, or for 90 days, which is as
// long as the cloud does: ForbidLiveStream.
func (t *Tencent) Forbid(ctx context.Context, code string, until time.Time, reason string) error {
	latest := time.Now().Add(longestForbid - time.Minute)
	if until.IsZero() || until.After(latest) {
		until = latest
	}
	return t.call(ctx, "live", "ForbidLiveStream", struct {
		stream
		ResumeTime, Reason string
	}{t.stream(code), until.UTC().Format(time.RFC3339), cmp.Or(reason, "banned")}, nil)
}

// Allow undoes Forbid, ResumeLiveStream.
func (t *Tencent) Allow(ctx context.Context, code string) error {
	return done(t.call(ctx, "live", "ResumeLiveStream", t.stream(code), nil))
}

// Recordings names the recordings of a stream that were made in a time, VOD's
// SearchMedia, under the same ids as callbacks do.
func (t *Tencent) Recordings(ctx context.Context, code string, from, to time.Time, each func(presence.Recording)) error {
	for offset := 0; ; {
		var reply struct {
			TotalCount   int
			MediaInfoSet []struct {
				FileID    string `json:"FileId"`
				BasicInfo struct {
					CreateTime, Type string
					MediaURL         string `json:"MediaUrl"`
				}
				MetaData struct {
					Duration float64
					Size     int64
				}
			}
		}
		err := t.call(ctx, "vod", "SearchMedia", map[string]any{
			"StreamIds": []string{code}, "SourceTypes": []string{"Record"}, "Offset": offset, "Limit": onPage,
			"CreateTime": map[string]string{"After": from.UTC().Format(time.RFC3339), "Before": to.UTC().Format(time.RFC3339)},
		}, &reply)
		if err != nil {
			return err
		}
		for _, m := range reply.MediaInfoSet {
			made, err := time.Parse(time.RFC3339, m.BasicInfo.CreateTime)
			if err != nil || m.FileID == "" || m.BasicInfo.MediaURL == "" || !(m.MetaData.Duration >= 0 && m.MetaData.Duration < 1e9) {
				return errReply
			}
			length := int64(m.MetaData.Duration * 1000)
			each(presence.Recording{
				ID: presence.RecordingID("tencent", m.FileID), Provider: "tencent", Code: code, Format: m.BasicInfo.Type, Size: m.MetaData.Size,
				StartedAt: made.UnixMilli() - length, EndedAt: made.UnixMilli(), Duration: length, Location: m.BasicInfo.MediaURL,
			})
		}
		if offset += len(reply.MediaInfoSet); len(reply.MediaInfoSet) == 0 || offset >= reply.TotalCount {
			return nil
		}
	}
}
