package callbacks_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"onair/server/auth"
	"onair/server/nodetest"
)

// permutations are all orders of the first n numbers.
func permutations(n int) (all [][]int) {
	if n == 0 {
		return [][]int{nil}
	}
	for _, p := range permutations(n - 1) {
		for at := range n {
			all = append(all, slices.Insert(slices.Clone(p), at, n-1))
		}
	}
	return all
}

// TestOrderStormOfProviders: begin and end of two pushes under one live code come in
// every order, each once or twice, in the words of each provider. When both have
// ended the stream is without a picture, if any of its pushes was ever believed; and
// whoever lives by callbacks alone is off the list soon after. Media servers call in
// the order of each connection; they do not repeat themselves.
func TestOrderStormOfProviders(t *testing.T) {
	type say func(s *nodetest.Server, code, query string, push int, begin bool)
	for name, provider := range map[string]struct {
		flag string
		say  say
		// any: calls come in any order, and again. Otherwise in that of connections.
		any bool
		// dated: begins say when they were, so that an end that came first proves a push.
		dated bool
	}{
		"tencent": {"tencent", func(s *nodetest.Server, code, _ string, push int, begin bool) {
			event := 0
			if begin {
				event = 1
			}
			nodetest.PostTencent(s, event, map[string]any{"stream_id": code, "sequence": fmt.Sprint(code, push), "event_time": time.Now().Unix() + int64(push)}).RequireStatus(200)
		}, true, true},
		"srs": {"srs", func(s *nodetest.Server, code, query string, push int, begin bool) {
			action := "on_unpublish"
			if begin {
				action = "on_publish"
			}
			nodetest.PostSRS(s, "srs/s3cret", fmt.Sprintf(`{"server_id":"v","action":%q,"client_id":"%s%d","app":"live","stream":%q,"param":"?%s"}`, action, code, push, code, query)).RequireStatus(200)
		}, true, false},
		"mediamtx": {"mediamtx", func(s *nodetest.Server, code, query string, push int, begin bool) {
			if begin {
				nodetest.PostSRS(s, "mediamtx/s3cret", fmt.Sprintf(`{"user":"u","action":"publish","path":"live/%s","id":"%s%d","query":%q}`, code, code, push, query)).RequireStatus(204)
				nodetest.PostSRS(s, "mediamtx/s3cret/available", fmt.Sprintf("path=live/%s&source_id=%s%d", code, code, push)).RequireStatus(204)
			} else {
				nodetest.PostSRS(s, "mediamtx/s3cret/unavailable", fmt.Sprintf("path=live/%s&source_id=%s%d", code, code, push)).RequireStatus(204)
			}
		}, true, false},
		"nginx-rtmp": {"nginx-rtmp", func(s *nodetest.Server, code, query string, push int, begin bool) {
			call := "publish_done"
			if begin {
				call = "publish"
			}
			s.SendNginxCallback(call, fmt.Sprint(push), code, query).RequireStatus(204)
		}, false, false},
		"zlm": {"zlm", func(s *nodetest.Server, code, query string, _ int, begin bool) {
			if begin {
				nodetest.PostSRS(s, "zlm/s3cret/on_publish", fmt.Sprintf(`{"mediaServerId":"z","app":"live","stream":%q,"params":%q,"schema":"rtmp"}`, code, query)).RequireStatus(200)
			}
			for _, schema := range []string{"rtsp", "rtmp", "hls", "ts"} {
				nodetest.PostSRS(s, "zlm/s3cret/on_stream_changed", fmt.Sprintf(`{"mediaServerId":"z","app":"live","stream":%q,"schema":%q,"regist":%v}`, code, schema, begin)).RequireStatus(200)
			}
		}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				flags := []string{
					"--hooks." + provider.flag + ".enabled", "true", "--hooks." + provider.flag + ".secret", "s3cret",
					"--limits.handshakes", "100000/s", "--liveness.start-within", "5m",
				}
				if name == "tencent" {
					flags = append(flags, "--hooks.tencent.key", nodetest.TencentKey)
				}
				s := nodetest.Serve(t, flags...)
				n := 0
				gone := map[string]bool{}
				for _, order := range permutations(4) { // begin and end of the first, then of the second
					twice := 1
					if provider.any {
						twice = 16
					} else if slices.Index(order, 0) > slices.Index(order, 1) || slices.Index(order, 2) > slices.Index(order, 3) {
						continue
					}
					if name == "zlm" && !slices.Equal(order, []int{0, 1, 2, 3}) {
						continue // it has one push under a name at a time
					}
					for mask := range twice {
						n++
						anchor := fmt.Sprint("a", n, "x")
						code := "8888_" + anchor
						begun := s.StartStream(s.DayToken(auth.Anchor, anchor), `{"title":"x","sources":["callback"]}`)
						query := nodetest.PushQuery(begun.Push.RTMP)
						believed, ended := false, map[int]bool{}
						all := slices.Clone(order)
						for i, word := range order {
							if mask&(1<<i) != 0 {
								all = append(all, word)
							}
						}
						for _, word := range all {
							push, begin := word/2, word%2 == 0
							provider.say(s, code, query, push, begin)
							if ended[push] = ended[push] || !begin; begin && (!ended[push] || provider.dated) {
								believed = true
							}
						}
						want := "starting"
						if believed {
							want = "away media"
						}
						if got := s.StreamState(code); got != want {
							t.Errorf("%v, again %04b: %s, want %s", order, mask, got, want)
						}
						gone[code] = believed
					}
				}
				time.Sleep(35 * time.Second)
				for code, soon := range gone {
					if got := s.StreamState(code); soon && got != "gone" {
						t.Errorf("%s is %s after the grace", code, got)
					}
				}
				time.Sleep(5 * time.Minute)
				for code := range gone {
					if got := s.StreamState(code); got != "gone" {
						t.Errorf("%s is %s in the end", code, got)
					}
				}
				if strings.Contains(s.Log(), `"result":"unavailable"`) {
					t.Error("a callback could not be decided")
				}
			})
		})
	}
}
