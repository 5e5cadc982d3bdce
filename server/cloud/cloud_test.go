package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"onair/presence"
)

func unlimited() Options { return Options{Rate: rate.NewLimiter(rate.Inf, 1)} }

// names collects what a list names.
func names(t *testing.T, online func(context.Context, func(string)) error) (all []string, err error) {
	t.Helper()
	err = online(t.Context(), func(code string) { all = append(all, code) })
	return all, err
}

// TestSignature is the example of the provider's documentation.
func TestSignature(t *testing.T) {
	payload := `{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}`
	got := authorization("AKID", "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE", "cvm", "cvm.tencentcloudapi.com", time.Unix(1551113065, 0), []byte(payload))
	want := "TC3-HMAC-SHA256 Credential=AKID/2019-02-25/cvm/tc3_request, SignedHeaders=content-type;host, " +
		"Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168"
	if got != want {
		t.Errorf("got %s", got)
	}
}

// tencentCloud plays the API: it checks who asks, and answers by action.
type tencentCloud struct {
	t       *testing.T
	answers map[string]func(request map[string]any) string
	asked   []string
}

const (
	secretID  = "AKIDexample"
	secretKey = "a secret key"
)

func (c *tencentCloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	action := r.Header.Get("X-TC-Action")
	var at int64
	fmt.Sscan(r.Header.Get("X-TC-Timestamp"), &at)
	service := strings.Split(r.Header.Get("Authorization"), "/")[2]
	if want := authorization(secretID, secretKey, service, r.Host, time.Unix(at, 0), body); r.Header.Get("Authorization") != want {
		io.WriteString(w, `{"Response":{"Error":{"Code":"AuthFailure.SignatureFailure","Message":"no"},"RequestId":"r"}}`)
		return
	}
	var request map[string]any
	if err := json.Unmarshal(body, &request); err != nil {
		c.t.Error(err)
	}
	c.asked = append(c.asked, action+" "+string(body))
	io.WriteString(w, c.answers[action](request))
}

func (c *tencentCloud) client(key string) *Tencent {
	srv := httptest.NewServer(c)
	c.t.Cleanup(srv.Close)
	return NewTencent(TencentConfig{SecretID: secretID, SecretKey: key, Domain: "push.example.com", App: "live", URL: srv.URL, VODURL: srv.URL}, unlimited())
}

func answers(text string) func(map[string]any) string {
	return func(map[string]any) string { return text }
}

func TestTencentOnline(t *testing.T) {
	c := &tencentCloud{t: t}
	page := func(request map[string]any) string {
		n := int(request["PageNum"].(float64))
		var all []string
		for i := range 100 {
			if k := (n-1)*100 + i; k < 250 {
				all = append(all, fmt.Sprintf(`{"StreamName":"8888_%d","AppName":"live","DomainName":"push.example.com","PublishTimeList":[]}`, k))
			}
		}
		return fmt.Sprintf(`{"Response":{"TotalNum":250,"TotalPage":3,"PageNum":%d,"PageSize":100,"OnlineInfo":[%s],"RequestId":"r"}}`, n, strings.Join(all, ","))
	}
	c.answers = map[string]func(map[string]any) string{"DescribeLiveStreamOnlineList": page}
	client := c.client(secretKey)
	all, err := names(t, client.Online)
	if err != nil || len(all) != 250 || all[249] != "8888_249" {
		t.Errorf("%d streams, %v", len(all), err)
	}
	if want := `DescribeLiveStreamOnlineList {"AppName":"live","DomainName":"push.example.com","PageNum":2,"PageSize":100}`; c.asked[1] != want {
		t.Errorf("asked %s", c.asked[1])
	}
	c.answers["DescribeLiveStreamOnlineList"] = func(request map[string]any) string {
		if request["PageNum"].(float64) == 2 {
			return `{"Response":{"Error":{"Code":"InternalError","Message":"x"},"RequestId":"r"}}`
		}
		return page(request)
	}
	if all, err := names(t, client.Online); err == nil || len(all) != 100 {
		t.Errorf("a list that breaks off: %d streams, %v", len(all), err)
	}
}

func TestTencentState(t *testing.T) {
	c := &tencentCloud{t: t}
	client := c.client(secretKey)
	for answer, want := range map[string]struct {
		online, busy, fails bool
	}{
		`{"Response":{"StreamState":"active","RequestId":"r"}}`:                                {online: true},
		`{"Response":{"StreamState":"inactive","RequestId":"r"}}`:                              {},
		`{"Response":{"StreamState":"forbid","RequestId":"r"}}`:                                {},
		`{"Response":{"StreamState":"other","RequestId":"r"}}`:                                 {fails: true},
		`{"Response":{"Error":{"Code":"RequestLimitExceeded","Message":"x"}}}`:                 {fails: true, busy: true},
		`{"Response":{"Error":{"Code":"RequestLimitExceeded.UinLimitExceeded","Message":""}}}`: {fails: true, busy: true},
		`{"Response":{"Error":{"Code":"InternalError","Message":"x"}}}`:                        {fails: true},
		`{"Response":`: {fails: true},
		`{}`:           {fails: true},
		``:             {fails: true},
	} {
		c.answers = map[string]func(map[string]any) string{"DescribeLiveStreamState": answers(answer)}
		online, err := client.IsOnline(t.Context(), "8888_alice")
		if online != want.online || (err != nil) != want.fails || errors.Is(err, ErrBusy) != want.busy {
			t.Errorf("%s: %v, %v", answer, online, err)
		}
	}
	if _, err := c.client("another key").IsOnline(t.Context(), "8888_alice"); err == nil || !strings.Contains(err.Error(), "SignatureFailure") || strings.Contains(err.Error(), "another key") {
		t.Errorf("with another key: %v", err)
	}
}

func TestTencentModerates(t *testing.T) {
	ok := answers(`{"Response":{"RequestId":"r"}}`)
	c := &tencentCloud{t: t, answers: map[string]func(map[string]any) string{"DropLiveStream": ok, "ForbidLiveStream": ok, "ResumeLiveStream": ok}}
	client := c.client(secretKey)
	until := time.Date(2026, 12, 1, 2, 3, 4, 0, time.UTC)
	if until.Before(time.Now()) {
		until = time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	}
	for _, err := range []error{
		client.Cut(t.Context(), "8888_alice"), client.Forbid(t.Context(), "8888_alice", until, "rude"),
		client.Forbid(t.Context(), "8888_alice", time.Time{}, ""), client.Allow(t.Context(), "8888_alice"),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	const stream = `{"AppName":"live","DomainName":"push.example.com","StreamName":"8888_alice"`
	for i, want := range []string{
		"DropLiveStream " + stream + "}", "ForbidLiveStream " + stream + `,"ResumeTime":"` + until.Format(time.RFC3339) + `","Reason":"rude"}`,
		"ForbidLiveStream " + stream + `,"ResumeTime":"`, "ResumeLiveStream " + stream + "}",
	} {
		if !strings.HasPrefix(c.asked[i], want) {
			t.Errorf("asked %s, want %s", c.asked[i], want)
		}
	}
	c.answers["DropLiveStream"] = answers(`{"Response":{"Error":{"Code":"ResourceNotFound","Message":"x"}}}`)
	if err := client.Cut(t.Context(), "8888_alice"); err != nil {
		t.Errorf("who does not push: %v", err)
	}
	c.answers["DropLiveStream"] = answers(`{"Response":{"Error":{"Code":"FailedOperation.CallOtherSvrFailed","Message":"x"}}}`)
	if err := client.Cut(t.Context(), "8888_alice"); err == nil {
		t.Error("a failure is taken for done")
	}
}

func TestTencentRecordings(t *testing.T) {
	c := &tencentCloud{t: t}
	c.answers = map[string]func(map[string]any) string{"SearchMedia": func(request map[string]any) string {
		media := []string{
			`{"FileId":"1","BasicInfo":{"CreateTime":"2026-11-25T10:00:00Z","Type":"mp4","MediaUrl":"http://x/1.mp4"},"MetaData":{"Duration":61.5,"Size":7}}`,
			`{"FileId":"2","BasicInfo":{"CreateTime":"2026-11-25T11:00:00Z","Type":"flv","MediaUrl":"http://x/2.flv"},"MetaData":{"Duration":1,"Size":8}}`,
		}
		at := int(request["Offset"].(float64))
		return fmt.Sprintf(`{"Response":{"TotalCount":2,"MediaInfoSet":[%s],"RequestId":"r"}}`, strings.Join(media[at:min(at+1, 2)], ","))
	}}
	var got []presence.Recording
	from := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	err := c.client(secretKey).Recordings(t.Context(), "8888_alice", from, from.Add(time.Hour), func(rec presence.Recording) { got = append(got, rec) })
	ended := time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC).UnixMilli()
	want := presence.Recording{
		ID: presence.RecordingID("tencent", "1"), Provider: "tencent", Code: "8888_alice", Format: "mp4", Size: 7,
		StartedAt: ended - 61_500, EndedAt: ended, Duration: 61_500, Location: "http://x/1.mp4",
	}
	if err != nil || len(got) != 2 || got[0] != want {
		t.Errorf("%+v, %v", got, err)
	}
	if !strings.Contains(c.asked[0], `"StreamIds":["8888_alice"]`) || !strings.Contains(c.asked[0], `"After":"2026-11-25T09:00:00Z"`) {
		t.Errorf("asked %s", c.asked[0])
	}
}

// serve plays a provider that answers by path and query.
func serve(t *testing.T, answer func(r *http.Request) (int, string)) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, text := answer(r)
		w.WriteHeader(status)
		io.WriteString(w, text)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestLegacy(t *testing.T) {
	var reply string
	var asked []url.Values
	link := serve(t, func(r *http.Request) (int, string) {
		asked = append(asked, r.URL.Query())
		return 200, reply
	})
	client := NewTencentLegacy(LegacyConfig{AppID: "1234", Key: "5d41402abc4b2a76b9719d911017c592", URL: link + "/common_access"}, unlimited())
	for answer, want := range map[string]struct{ online, busy, fails bool }{
		`{"ret":0,"message":"","output":[{"rate_type":0,"recv_type":1,"status":1}]}`: {online: true},
		`{"ret":0,"output":[{"status":0},{"status":"1"}]}`:                           {online: true},
		`{"ret":"0","output":[{"status":"0"}]}`:                                      {},
		`{"ret":0,"output":[{"status":3}]}`:                                          {},
		`{"ret":20601,"message":"never"}`:                                            {},
		`{"ret":0,"output":[]}`:                                                      {fails: true},
		`{"ret":0}`:                                                                  {fails: true},
		`{"ret":0,"output":[{"status":9}]}`:                                          {fails: true},
		`{"ret":1202}`:                                                               {fails: true, busy: true},
		`{"ret":1204,"errmsg":"x"}`:                                                  {fails: true},
		`{"ret":"x"}`:                                                                {fails: true},
		`<html>`:                                                                     {fails: true},
	} {
		reply = answer
		online, err := client.IsOnline(t.Context(), "8888_alice")
		if online != want.online || (err != nil) != want.fails || errors.Is(err, ErrBusy) != want.busy {
			t.Errorf("%s: %v, %v", answer, online, err)
		}
	}
	q := asked[0]
	if q.Get("appid") != "1234" || q.Get("interface") != "Live_Channel_GetStatus" || q.Get("Param.s.channel_id") != "8888_alice" || len(q.Get("sign")) != 32 {
		t.Errorf("asked %v", q)
	}
	reply = `{"ret":0}`
	asked = nil
	for i, err := range []error{client.Forbid(t.Context(), "c", time.Time{}, ""), client.Allow(t.Context(), "c"), client.Cut(t.Context(), "c")} {
		if got := asked[i].Get("Param.n.status"); err != nil || got != fmt.Sprint(i) {
			t.Errorf("status %s, %v", got, err)
		}
	}
}

func TestLegacyRecordings(t *testing.T) {
	var days []string
	link := serve(t, func(r *http.Request) (int, string) {
		q := r.URL.Query()
		days = append(days, q.Get("Param.s.start_time")+" – "+q.Get("Param.s.end_time"))
		if strings.HasPrefix(q.Get("Param.s.start_time"), "2016-12-11") {
			return 200, `{"ret":10003,"message":"none"}`
		}
		return 200, `{"ret":0,"output":{"all_count":"2","file_list":[` +
			`{"vid":"v","start_time":"2016-12-10 12:00:00","end_time":"2016-12-10 12:01:00","file_id":"77","record_file_url":"http://x/f0.flv"},` +
			`{"vid":"w","start_time":"2016-12-10 13:00:00","end_time":"2016-12-10 13:01:00","file_id":78,"record_file_url":""}]}}`
	})
	client := NewTencentLegacy(LegacyConfig{AppID: "1", Key: "k", URL: link}, unlimited())
	from := time.Date(2016, 12, 10, 11, 0, 0, 0, beijing)
	var got []presence.Recording
	err := client.Recordings(t.Context(), "8888_alice", from, from.Add(24*time.Hour), func(rec presence.Recording) { got = append(got, rec) })
	start := time.Date(2016, 12, 10, 12, 0, 0, 0, beijing).UnixMilli()
	if err != nil || len(got) != 1 || got[0].StartedAt != start || got[0].Duration != 60_000 || got[0].Format != "flv" || got[0].ID != presence.RecordingID("tencent", "77") {
		t.Errorf("%+v, %v", got, err)
	}
	if want := []string{"2016-12-10 11:00:00 – 2016-12-10 23:59:59", "2016-12-11 00:00:00 – 2016-12-11 11:00:00"}; !slices.Equal(days, want) {
		t.Errorf("asked for %q", days)
	}
}

func TestSRS(t *testing.T) {
	var deleted string
	link := serve(t, func(r *http.Request) (int, string) {
		if r.Method == http.MethodDelete {
			deleted = r.URL.Path
			return 200, `{"code":0}`
		}
		if r.URL.Query().Get("start") != "0" {
			return 200, `{"code":0,"streams":[{"name":"8888_z","app":"live","publish":{"active":true,"cid":"z"}}]}`
		}
		all := []string{
			`{"name":"8888_alice","app":"live","publish":{"active":true,"cid":"9308h583"}}`,
			`{"name":"8888_bob","app":"live","publish":{"active":false}}`, `{"name":"8888_carol","app":"other","publish":{"active":true}}`,
		}
		for len(all) < srsPage {
			all = append(all, `{"name":"x","app":"other","publish":{"active":false}}`)
		}
		return 200, `{"code":0,"server":"s","streams":[` + strings.Join(all, ",") + `]}`
	})
	client := NewSRS(link+"/", "live", unlimited())
	if all, err := names(t, client.Online); err != nil || !slices.Equal(all, []string{"8888_alice", "8888_z"}) {
		t.Errorf("%q, %v", all, err)
	}
	if err := client.Cut(t.Context(), "8888_alice"); err != nil || deleted != "/api/v1/clients/9308h583" {
		t.Errorf("cut %s, %v", deleted, err)
	}
	deleted = ""
	if err := client.Cut(t.Context(), "8888_bob"); err != nil || deleted != "" {
		t.Errorf("cut %s of who does not push, %v", deleted, err)
	}
}

// TestFaults: whatever goes wrong is an error, and none tells a URL or a key.
func TestFaults(t *testing.T) {
	status, text := 200, ""
	link := serve(t, func(*http.Request) (int, string) { return status, text })
	link = strings.Replace(link, "http://", "http://user:hush@", 1)
	for name, is := range map[string]struct {
		status int
		text   string
	}{
		"an error": {500, `{"code":0,"streams":[]}`}, "cut short": {200, `{"code":0,"streams":[{"name"`}, "a redirect": {302, ""}, "its own error": {200, `{"code":2048}`},
	} {
		status, text = is.status, is.text
		if _, err := names(t, NewSRS(link, "live", unlimited()).Online); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", name, err)
		}
	}
	status = 429
	if _, err := names(t, NewNginxRTMP(link, "", "live", unlimited()).Online); !errors.Is(err, ErrBusy) {
		t.Errorf("too many: %v", err)
	}
	if _, err := names(t, NewSRS("http://user:hush@127.0.0.1:1", "live", unlimited()).Online); err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("nobody there: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := NewSRS(link, "live", unlimited()).Online(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	for _, c := range []any{NewTencent(TencentConfig{SecretKey: "hush"}, unlimited()), NewTencentLegacy(LegacyConfig{Key: "hush"}, unlimited())} {
		if strings.Contains(fmt.Sprintf("%v %+v %#v", c, c, c), "hush") {
			t.Error("a client prints its key")
		}
	}
}

const statisticsPage = `<?xml version="1.0" encoding="utf-8" ?>
<rtmp><nginx_version>1.22.1</nginx_version><server><application><name>live</name><live>
<stream><name>8888_alice</name><time>2771</time><client><id>1</id><publishing/><active/></client><nclients>1</nclients><publishing/><active/></stream>
<stream><name>8888_bob</name><client><id>2</id><active/></client><nclients>1</nclients></stream>
</live></application><application><name>other</name><live><stream><name>8888_carol</name><publishing/></stream></live></application></server></rtmp>`

func TestStatistics(t *testing.T) {
	var all []string
	err := parseStatistics([]byte(statisticsPage), "live", func(code string) { all = append(all, code) })
	if err != nil || !slices.Equal(all, []string{"8888_alice"}) {
		t.Errorf("%q, %v", all, err)
	}
	for _, page := range []string{"", "<html></html>", statisticsPage[:400]} {
		if err := parseStatistics([]byte(page), "live", func(string) {}); err == nil {
			t.Errorf("%q is read", page)
		}
	}
}

func FuzzStatistics(f *testing.F) {
	f.Add([]byte(statisticsPage))
	f.Fuzz(func(t *testing.T, page []byte) {
		err := parseStatistics(page, "live", func(code string) {})
		if err != nil && !errors.Is(err, errReply) {
			t.Fatal(err)
		}
	})
}

// replies is a provider that says the same to everybody.
type replies []byte

func (b replies) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(b)))}, nil
}

func FuzzReplies(f *testing.F) {
	for _, reply := range []string{
		`{"Response":{"StreamState":"active"}}`, `{"ret":0,"output":[{"status":1}]}`, `{"code":0,"streams":[{"name":"8888_a","app":"live","publish":{"active":true,"cid":"1"}}]}`,
		`{"Response":{"TotalCount":1,"MediaInfoSet":[{"FileId":"1","BasicInfo":{"CreateTime":"2026-11-25T10:00:00Z","Type":"mp4","MediaUrl":"http://x/1.mp4"},"MetaData":{"Duration":61.5,"Size":7}}]}}`,
	} {
		f.Add([]byte(reply))
	}
	f.Fuzz(func(t *testing.T, reply []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		o := Options{Rate: rate.NewLimiter(rate.Inf, 1), Transport: replies(reply)}
		// A provider that always names another page is asked until somebody has had enough.
		stop, enough := context.WithCancel(ctx)
		n := 0
		count := func() {
			if n++; n > 1000 {
				enough()
			}
		}
		defer enough()
		tencent, legacy := NewTencent(TencentConfig{Domain: "d", App: "live"}, o), NewTencentLegacy(LegacyConfig{}, o)
		_, _ = tencent.IsOnline(ctx, "8888_a")
		_, _ = legacy.IsOnline(ctx, "8888_a")
		_ = NewSRS("http://x", "live", o).Cut(ctx, "8888_a")
		sound := func(rec presence.Recording) {
			count()
			if rec.ID == "" || rec.Location == "" || rec.Duration < 0 {
				t.Fatalf("%+v", rec)
			}
		}
		_ = tencent.Recordings(stop, "8888_a", time.Unix(0, 0), time.Unix(90_000, 0), sound)
		_ = legacy.Recordings(stop, "8888_a", time.Unix(0, 0), time.Unix(90_000, 0), sound)
	})
}
