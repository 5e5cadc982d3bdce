package cloud

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"onair/presence"
)

const legacyKey = "5d41402abc4b2a76b9719d911017c592"

// legacyServer is a transport that responds to correctly signed calls.
type legacyServer struct {
	respond func(call url.Values) string
	calls   []url.Values
}

func (l *legacyServer) RoundTrip(r *http.Request) (*http.Response, error) {
	q := r.URL.Query()
	sum := md5.Sum([]byte(legacyKey + q.Get("t")))
	until, _ := strconv.ParseInt(q.Get("t"), 10, 64)
	response := `{"ret":1001,"message":"sign invalid"}`
	if valid := time.Until(time.Unix(until, 0)); q.Get("sign") == hex.EncodeToString(sum[:]) && q.Get("appid") == "1234" && valid > time.Minute && valid < time.Hour {
		l.calls = append(l.calls, q)
		response = l.respond(q)
	}
	return fixedResponse{http.StatusOK, []byte(response)}.RoundTrip(r)
}

func newLegacyClient(t *testing.T, transport http.RoundTripper) *TencentLegacy {
	t.Helper()
	client, err := NewTencentLegacy(LegacyConfig{AppID: "1234", Key: legacyKey}, Options{Budget: unlimitedBudget(), Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestLegacyIsOnline(t *testing.T) {
	for response, want := range map[string]string{
		`{"ret":0,"message":"","output":[{"rate_type":0,"recv_type":1,"status":1}]}`: "online",
		`{"ret":0,"retcode":0,"errmsg":"ok","output":[{"status":0}]}`:                "offline",
		`{"ret":0,"output":[{"status":3}]}`:                                          "offline",
		`{"ret":"0","output":[{"rate_type":"0","status":"1"}]}`:                      "online",
		`{"ret":0,"output":[{"status":0},{"rate_type":10,"status":1}]}`:              "online",
		`{"ret":0,"output":[{"status":0},{"rate_type":10,"status":3}]}`:              "offline",
		`{"ret":20601,"message":"channel inactive","output":[]}`:                     "offline",
		`{"ret":"20601"}`: "offline",

		`{"ret":0,"output":[]}`:                "failed", // no information about the stream
		`{"ret":0,"output":null}`:              "failed",
		`{"ret":0}`:                            "failed",
		`{"ret":0,"output":{"status":0}}`:      "failed",
		`{"ret":0,"output":[{"status":2}]}`:    "failed",
		`{"ret":0,"output":[{}]}`:              "failed",
		`{"ret":0,"output":[{"status":null}]}`: "failed",
		`{"output":[{"status":0}]}`:            "failed",
		`{"ret":null,"output":[{"status":0}]}`: "failed",
		`{"ret":1204,"output":[]}`:             "failed",
		`{"ret":1301,"output":[]}`:             "failed",
		`{"ret":10003}`:                        "failed",
		`{"ret":-1,"output":[{"status":0}]}`:   "failed",
		`{"ret":"x"}`:                          "failed",
		`{"ret":0,"output":[{"status":0`:       "failed",
		`<html>`:                               "failed",
		``:                                     "failed",
	} {
		sim := &legacyServer{respond: func(url.Values) string { return response }}
		client := newLegacyClient(t, sim)
		isOnline, err := client.IsOnline(t.Context(), "8888_alice")
		if got := outcome(isOnline, err); got != want || errors.Is(err, ErrRateLimited) {
			t.Errorf("%s: %v, %v; want %v", response, got, err, want)
		}
		requireNoSecrets(t, err, client)
		if c := sim.calls[0]; c.Get("interface") != "Live_Channel_GetStatus" || c.Get("Param.s.channel_id") != "8888_alice" {
			t.Errorf("request: %v", c)
		}
	}
}

func TestLegacyRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := &legacyServer{respond: func(url.Values) string { return `{"ret":1202}` }}
		if isOnline, err := newLegacyClient(t, sim).IsOnline(t.Context(), "8888_alice"); isOnline || !errors.Is(err, ErrRateLimited) {
			t.Errorf("%v, %v", isOnline, err)
		}
		if len(sim.calls) != maxAttempts {
			t.Errorf("%d requests", len(sim.calls))
		}
	})
}

func TestLegacyControl(t *testing.T) {
	ret := "0"
	sim := &legacyServer{respond: func(url.Values) string { return `{"ret":` + ret + `,"output":[]}` }}
	client := newLegacyClient(t, sim)
	forbid := func(ctx context.Context, code string) error { return client.ForbidPush(ctx, code, time.Time{}, "") }
	for i, control := range []func(context.Context, string) error{forbid, client.AllowPush, client.CutPush} {
		ret = "0"
		if err := control(t.Context(), "8888_alice"); err != nil {
			t.Error(err)
		}
		c := sim.calls[len(sim.calls)-1]
		if c.Get("interface") != "Live_Channel_SetStatus" || c.Get("Param.n.status") != strconv.Itoa(i) || c.Get("Param.s.channel_id") != "8888_alice" {
			t.Errorf("request: %v", c)
		}
		ret = "20601" // a missing stream is an error only for a ban
		if err := control(t.Context(), "8888_alice"); (err == nil) != (i != 0) {
			t.Errorf("status %d without a stream: %v", i, err)
		}
		ret = "1204"
		if err := control(t.Context(), "8888_alice"); err == nil {
			t.Errorf("status %d rejected: no error", i)
		}
	}
}

// TestLegacyErrors: no error contains the signed URL.
func TestLegacyErrors(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"status":            func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "skey", http.StatusForbidden) },
		"connection closed": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"truncated": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "99")
			fmt.Fprint(w, `{"ret":0`)
		},
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		},
	} {
		link, o := startServer(t, h)
		client, err := NewTencentLegacy(LegacyConfig{AppID: "1234", Key: legacyKey, URL: link}, o)
		if err != nil {
			t.Fatal(err)
		}
		isOnline, err := client.IsOnline(shortContext(t), "8888_alice")
		if isOnline || err == nil {
			t.Errorf("%s: %v, %v", name, isOnline, err)
		}
		requireNoSecrets(t, err, client)
	}
	for _, c := range []LegacyConfig{{Key: legacyKey}, {AppID: "1234"}, {AppID: "1", Key: legacyKey, URL: "x"}, {AppID: "1", Key: legacyKey, URL: "http://x/?a=b"}} {
		if _, err := NewTencentLegacy(c, Options{}); err == nil {
			t.Errorf("no error for %q", c.URL)
		} else {
			requireNoSecrets(t, err)
		}
	}
}

// TestLegacyRecordings decodes rows as the API sends them, with numbers as strings and
// times in UTC+8.
func TestLegacyRecordings(t *testing.T) {
	const row = `{"appid":"1257046543","create_time":"2018-11-02 13:48:12","start_time":"2018-11-02 13:47:40","end_time":"2018-11-02 13:48:09","file_format":"3",
		"file_id":"5285890782777207037","file_size":"4571794","record_file_id":"5285890782777207037","record_type":null,
		"record_file_url":"http://1257046543.vod2.myqcloud.com/c7/07/f0.mp4","stream_id":"8888_alice","vid":"210130088_45"}`
	sim := &legacyServer{respond: func(c url.Values) string {
		switch c.Get("Param.s.start_time") + " " + c.Get("Param.s.end_time") {
		case "2018-11-01 22:30:00 2018-11-01 23:59:59":
			return `{"ret":10003,"output":{}}`
		case "2018-11-02 00:00:00 2018-11-02 23:59:59":
			return `{"ret":0,"output":{"all_count":1,"file_list":[` + row + `]}}`
		case "2018-11-03 00:00:00 2018-11-03 06:00:00":
			return `{"ret":0,"output":{"all_count":"2","file_list":[{"file_id":7,"start_time":"2018-11-03 01:00:00","end_time":"2018-11-03 01:00:01","record_file_url":""},
				{"record_file_id":"8","start_time":"2018-11-03 01:00:00","end_time":"2018-11-03 01:00:01","record_file_url":"http://x/y.m3u8"}]}}`
		}
		t.Errorf("request: %v", c)
		return ""
	}}
	got, err := collectRecordings(t.Context(), newLegacyClient(t, sim).ForEachRecording, time.Date(2018, 11, 1, 14, 30, 0, 0, time.UTC), time.Date(2018, 11, 2, 22, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	startedAt := time.Date(2018, 11, 2, 5, 47, 40, 0, time.UTC).UnixMilli()
	later := time.Date(2018, 11, 2, 17, 0, 0, 0, time.UTC).UnixMilli()
	want := []presence.Recording{
		{
			ID: presence.RecordingID("tencent", "5285890782777207037"), Provider: "tencent", Code: "8888_alice", StartedAt: startedAt, EndedAt: startedAt + 29_000,
			Duration: 29_000, Format: "mp4", Size: 4571794, Location: "http://1257046543.vod2.myqcloud.com/c7/07/f0.mp4",
		},
		{
			ID: presence.RecordingID("tencent", "8"), Provider: "tencent", Code: "8888_alice", StartedAt: later, EndedAt: later + 1000,
			Duration: 1000, Format: "hls", Location: "http://x/y.m3u8",
		},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if len(sim.calls) != 3 {
		t.Errorf("%d calls for three days", len(sim.calls))
	}
}

func TestLegacyRecordingsPages(t *testing.T) {
	day := time.Date(2018, 11, 2, 0, 0, 0, 0, chinaTime)
	for _, n := range []int{0, 1, 100, 101, 250} {
		sim := &legacyServer{respond: func(c url.Values) string {
			page, _ := strconv.Atoi(c.Get("Param.n.page_no"))
			size, _ := strconv.Atoi(c.Get("Param.n.page_size"))
			rows := ""
			for i := (page - 1) * size; i < min(n, page*size); i++ {
				if rows != "" {
					rows += ","
				}
				rows += fmt.Sprintf(`{"file_id":"%d","start_time":"2018-11-02 00:00:00","end_time":"2018-11-02 00:00:01","record_file_url":"http://x/%d.flv"}`, i, i)
			}
			return fmt.Sprintf(`{"ret":0,"output":{"all_count":%d,"file_list":[%s]}}`, n, rows)
		}}
		got, err := collectRecordings(t.Context(), newLegacyClient(t, sim).ForEachRecording, day, day.Add(time.Hour))
		if len(got) != n || err != nil || len(sim.calls) != max(1, (n+99)/100) {
			t.Errorf("%d: %d recordings in %d calls, %v", n, len(got), len(sim.calls), err)
		}
	}
	for _, response := range []string{
		`{"ret":1204}`, `{"ret":0}`, `{"ret":0,"output":[]}`, `{"ret":0,"output":{"all_count":"x"}}`,
		`{"ret":0,"output":{"all_count":1,"file_list":[{"file_id":"1","start_time":"2018-11-02T00:00:00Z","end_time":"2018-11-02 00:00:01","record_file_url":"http://x/1.flv"}]}}`,
		`{"ret":0,"output":{"all_count":1,"file_list":[{"file_id":"1","start_time":"2018-11-02 00:00:02","end_time":"2018-11-02 00:00:01","record_file_url":"http://x/1.flv"}]}}`,
		`{"ret":0,"output":{"all_count":1,"file_list":[{"start_time":"2018-11-02 00:00:00","end_time":"2018-11-02 00:00:01","record_file_url":"http://x/1.flv"}]}}`,
	} {
		sim := &legacyServer{respond: func(url.Values) string { return response }}
		if got, err := collectRecordings(t.Context(), newLegacyClient(t, sim).ForEachRecording, day, day.Add(time.Hour)); len(got) > 0 || err == nil {
			t.Errorf("%s: %v, %v", response, got, err)
		}
	}
}

func FuzzTencentLegacy(f *testing.F) {
	for _, response := range []string{
		`{"ret":0,"message":"","output":[{"rate_type":0,"recv_type":1,"status":1}]}`,
		`{"ret":"20601","output":[]}`,
		`{"ret":0,"output":{"all_count":"1","file_list":[{"file_id":"1","start_time":"2018-11-02 00:00:00","end_time":"2018-11-02 00:00:01","file_size":"7","record_file_url":"http://x/1.flv"}]}}`,
		`{"ret":0,"output":{"all_count":"1","file_list":[{"file_id":"1","start_time":"1718-11-02 00:00:00","end_time":"2418-11-02 00:00:01","record_file_url":"http://x/1.flv"}]}}`,
	} {
		f.Add([]byte(response))
	}
	f.Fuzz(func(t *testing.T, response []byte) {
		ret, output, err := decodeLegacyResponse(response)
		if err != nil {
			return
		}
		isOnline, err := isOnlineByLegacyStatus(output)
		if isOnline && err != nil || ret == retRateLimited {
			t.Fatalf("%v, %v", isOnline, err)
		}
		_, recordings, rows, err := decodeLegacyRecordingsPage(output, "8888_alice")
		if len(recordings) > rows || err != nil && len(recordings) > 0 {
			t.Fatalf("%d of %d, %v", len(recordings), rows, err)
		}
		for _, rec := range recordings {
			if rec.ID == "" || rec.Location == "" || rec.EndedAt < rec.StartedAt || rec.Duration != rec.EndedAt-rec.StartedAt || rec.Size < 0 {
				t.Fatalf("%+v", rec)
			}
		}
	})
}
