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

// TestCallbacksInAnyOrder: the starts and ends of two pushes of one live code arrive in
// every order, once or twice, from each provider. After both ends the stream is away, if
// any push was accepted. Soon after, a session with callbacks as its only source is gone.
// Media servers call in the order of each connection and do not repeat calls.
func TestCallbacksInAnyOrder(t *testing.T) {
	type sendStep func(s *nodetest.Server, code, query string, push int, isStart bool)
	for name, provider := range map[string]struct {
		flag string
		send sendStep
		// anyOrder: calls arrive in any order and repeatedly, else in the order of connections.
		anyOrder bool
		// hasTimes: starts have times, so that a start after its end counts.
		hasTimes bool
	}{
		"tencent": {"tencent", func(s *nodetest.Server, code, _ string, push int, isStart bool) {
			event := 0
			if isStart {
				event = 1
			}
			nodetest.PostTencentCallback(s, event, map[string]any{"stream_id": code, "sequence": fmt.Sprint(code, push), "event_time": time.Now().Unix() + int64(push)}).RequireStatus(200)
		}, true, true},
		"srs": {"srs", func(s *nodetest.Server, code, query string, push int, isStart bool) {
			action := "on_unpublish"
			if isStart {
				action = "on_publish"
			}
			nodetest.PostJSONHook(s, "srs/s3cret", fmt.Sprintf(`{"server_id":"v","action":%q,"client_id":"%s%d","app":"live","stream":%q,"param":"?%s"}`, action, code, push, code, query)).RequireStatus(200)
		}, true, false},
		"mediamtx": {"mediamtx", func(s *nodetest.Server, code, query string, push int, isStart bool) {
			if isStart {
				nodetest.PostJSONHook(s, "mediamtx/s3cret", fmt.Sprintf(`{"user":"u","action":"publish","path":"live/%s","id":"%s%d","query":%q}`, code, code, push, query)).RequireStatus(204)
				nodetest.PostJSONHook(s, "mediamtx/s3cret/available", fmt.Sprintf("path=live/%s&source_id=%s%d", code, code, push)).RequireStatus(204)
			} else {
				nodetest.PostJSONHook(s, "mediamtx/s3cret/unavailable", fmt.Sprintf("path=live/%s&source_id=%s%d", code, code, push)).RequireStatus(204)
			}
		}, true, false},
		"nginx-rtmp": {"nginx-rtmp", func(s *nodetest.Server, code, query string, push int, isStart bool) {
			call := "publish_done"
			if isStart {
				call = "publish"
			}
			s.SendNginxCallback(call, fmt.Sprint(push), code, query).RequireStatus(204)
		}, false, false},
		"zlm": {"zlm", func(s *nodetest.Server, code, query string, _ int, isStart bool) {
			if isStart {
				nodetest.PostJSONHook(s, "zlm/s3cret/on_publish", fmt.Sprintf(`{"mediaServerId":"z","app":"live","stream":%q,"params":%q,"schema":"rtmp"}`, code, query)).RequireStatus(200)
			}
			for _, schema := range []string{"rtsp", "rtmp", "hls", "ts"} {
				nodetest.PostJSONHook(s, "zlm/s3cret/on_stream_changed", fmt.Sprintf(`{"mediaServerId":"z","app":"live","stream":%q,"schema":%q,"regist":%v}`, code, schema, isStart)).RequireStatus(200)
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
				for _, order := range permutations(4) { // start and end of the first push, then of the second
					masks := 1
					if provider.anyOrder {
						masks = 16
					} else if slices.Index(order, 0) > slices.Index(order, 1) || slices.Index(order, 2) > slices.Index(order, 3) {
						continue
					}
					if name == "zlm" && !slices.Equal(order, []int{0, 1, 2, 3}) {
						continue // ZLMediaKit allows one push of a name at a time
					}
					for mask := range masks {
						n++
						anchor := fmt.Sprint("a", n, "x")
						code := "8888_" + anchor
						started := s.StartStream(s.DayToken(auth.Anchor, anchor), `{"title":"x","sources":["callback"]}`)
						query := nodetest.URLQuery(started.Push.RTMP)
						isAccepted, ended := false, map[int]bool{}
						all := slices.Clone(order)
						for i, step := range order {
							if mask&(1<<i) != 0 {
								all = append(all, step)
							}
						}
						for _, step := range all {
							push, isStart := step/2, step%2 == 0
							provider.send(s, code, query, push, isStart)
							if ended[push] = ended[push] || !isStart; isStart && (!ended[push] || provider.hasTimes) {
								isAccepted = true
							}
						}
						want := "starting"
						if isAccepted {
							want = "away media"
						}
						if got := s.StreamState(code); got != want {
							t.Errorf("%v, repeats %04b: %s, want %s", order, mask, got, want)
						}
						gone[code] = isAccepted
					}
				}
				time.Sleep(35 * time.Second)
				for code, isGone := range gone {
					if got := s.StreamState(code); isGone && got != "gone" {
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
