package poll

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"golang.org/x/time/rate"

	"onair/presence"
	"onair/server/cloud"
)

// sky is a cloud in a bubble.
type sky struct {
	mu     sync.Mutex
	online map[string]bool
	list   error            // what reading the list comes to, after half of it
	one    map[string]error // what asking for one comes to
	asked  map[string]int
}

func (s *sky) Online(_ context.Context, each func(string)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked["list"]++
	n := 0
	for code := range s.online {
		if n++; s.list != nil && n > len(s.online)/2 {
			break
		}
		each(code)
	}
	return s.list
}

func (s *sky) IsOnline(_ context.Context, code string) (bool, error) {
	time.Sleep(50 * time.Millisecond)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked[code]++
	if err := s.one[code]; err != nil {
		return false, err
	}
	return s.online[code], s.one[""]
}

// polling runs a poller over some codes, and returns what it tells.
func polling(t *testing.T, s *sky, c Cloud, codes ...string) (words func() map[string]string) {
	t.Helper()
	s.asked = map[string]int{}
	var mu sync.Mutex
	told := map[string]string{}
	var targets []presence.Polled
	byID := map[presence.Session]string{}
	for _, code := range codes {
		p := presence.Polled{Session: presence.NewSession(), Code: strings.TrimSuffix(code, "?"), Matters: !strings.HasSuffix(code, "?")}
		targets, byID[p.Session] = append(targets, p), p.Code
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	p := New(Options{
		Cloud: c, Interval: time.Minute, Targets: func() []presence.Polled { return targets }, Logger: zerolog.Nop(), Metrics: prometheus.NewRegistry(),
		Tell: func(s presence.Session, sign presence.Sign) {
			mu.Lock()
			defer mu.Unlock()
			told[byID[s]] = strings.TrimSpace(told[byID[s]] + " " + sign.String())
		},
	})
	go func() { defer close(done); p.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	return func() map[string]string {
		mu.Lock()
		defer mu.Unlock()
		out := maps.Clone(told)
		clear(told)
		return out
	}
}

func wants(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("%s: told %v, want %v", what, got, want)
	}
}

func TestRounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sky{online: map[string]bool{"a": true}, one: map[string]error{"c": errors.New("no answer")}}
		words := polling(t, s, Cloud{s.Online, s.IsOnline}, "a", "b", "c", "d?")
		time.Sleep(59 * time.Second)
		wants(t, "the first", words(), map[string]string{"a": "online", "b": "offline", "c": "unknown"})
		if s.asked["a"] != 0 || s.asked["b"] != 1 || s.asked["d"] != 0 || s.asked["list"] != 1 {
			t.Errorf("asked %v", s.asked)
		}
		s.mu.Lock()
		s.online["b"] = true
		delete(s.one, "c")
		s.mu.Unlock()
		time.Sleep(time.Minute)
		wants(t, "the second", words(), map[string]string{"a": "online", "b": "online", "c": "offline"})
	})
}

// TestListBreaksOff: who is in a list that broke off is online, and of others
// nothing is known by it.
func TestListBreaksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sky{online: map[string]bool{"a": true, "b": true}, list: errors.New("page 2")}
		words := polling(t, s, Cloud{Online: s.Online}, "a", "b", "c")
		time.Sleep(59 * time.Second)
		got := words()
		if got["c"] != "" || got["a"] == "offline" || got["b"] == "offline" || len(got) != 1 {
			t.Errorf("told %v", got)
		}
		s.mu.Lock()
		s.list = nil
		s.mu.Unlock()
		time.Sleep(time.Minute)
		wants(t, "a whole one", words(), map[string]string{"a": "online", "b": "online", "c": "offline"})
	})
}

// TestCloudAway: a cloud that answers nobody says nothing of anybody, and being
// asked too much is no answer either.
func TestCloudAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, err := range []error{errors.New("down"), cloud.ErrBusy} {
			s := &sky{online: map[string]bool{"a": true}, list: err, one: map[string]error{"": err}}
			words := polling(t, s, Cloud{IsOnline: s.IsOnline}, "a", "b", "c")
			time.Sleep(10 * time.Minute)
			wants(t, err.Error(), words(), nil)
			s.mu.Lock()
			s.list, s.one = nil, nil
			s.mu.Unlock()
			time.Sleep(time.Minute)
			wants(t, "back", words(), map[string]string{"a": "online", "b": "offline", "c": "offline"})
		}
	})
}

// skyline plays Tencent's API over a transport, for many streams, and counts what
// it is asked in each second.
type skyline struct {
	mu      sync.Mutex
	streams []string // online
	other   map[string]bool
	faults  float64
	calls   []time.Time
}

// RoundTrip answers after a while, and at times not at all.
func (s *skyline) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.calls = append(s.calls, time.Now())
	s.mu.Unlock()
	time.Sleep(time.Duration(20+rand.IntN(200)) * time.Millisecond)
	if rand.Float64() < s.faults {
		return nil, errors.New("reset")
	}
	var q struct {
		PageNum    int
		StreamName string
	}
	body, _ := io.ReadAll(r.Body)
	_ = json.Unmarshal(body, &q)
	text := `{"Response":{"StreamState":"inactive"}}`
	if q.StreamName != "" && s.other[q.StreamName] {
		text = `{"Response":{"StreamState":"active"}}`
	}
	if q.PageNum > 0 {
		var page []string
		for _, code := range s.streams[min((q.PageNum-1)*100, len(s.streams)):min(q.PageNum*100, len(s.streams))] {
			page = append(page, `{"StreamName":"`+code+`"}`)
		}
		text = fmt.Sprintf(`{"Response":{"TotalPage":%d,"OnlineInfo":[%s]}}`, (len(s.streams)+99)/100, strings.Join(page, ","))
	}
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text))}, nil
}

// TestBudget: with 20,000 live streams every one is judged once an interval, and in
// no second is more asked than the rate and its burst allow.
func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const perSecond, burst, live, late = 20, 10, 20_000, 500
		s := &skyline{other: map[string]bool{}}
		codes := make([]string, 0, live+late)
		for i := range live {
			s.streams = append(s.streams, fmt.Sprint("8888_", i))
		}
		codes = append(codes, s.streams...)
		for i := range late {
			code := fmt.Sprint("8888_late", i)
			codes = append(codes, code)
			s.other[code] = i%2 == 0 // began while the list was read
		}
		c := cloud.NewTencent(cloud.TencentConfig{Domain: "d", App: "live"}, cloud.Options{Rate: rate.NewLimiter(perSecond, burst), Transport: s})
		words := polling(t, &sky{}, Cloud{c.Online, c.IsOnline}, codes...)
		for round := range 3 {
			time.Sleep(time.Minute)
			synctest.Wait()
			online, offline := 0, 0
			for code, word := range words() {
				switch {
				case word == "online":
					online++
				case word == "offline" && !s.other[code] && strings.HasPrefix(code, "8888_late"):
					offline++
				default:
					t.Fatalf("round %d: %s is told to be %s", round, code, word)
				}
			}
			if online != live+late/2 || offline != late/2 {
				t.Errorf("round %d: %d online, %d offline", round, online, offline)
			}
		}
		for i, at := range s.calls {
			n := 0
			for _, other := range s.calls[i:] {
				if other.Sub(at) >= time.Second {
					break
				}
				n++
			}
			if n > perSecond+burst {
				t.Fatalf("%d calls within a second", n)
			}
		}
		t.Logf("%d calls in three minutes", len(s.calls))
	})
}

// TestBadWeather: with answers that are lost at random nobody who is online is told
// to be offline.
func TestBadWeather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &skyline{other: map[string]bool{}, faults: 0.2}
		var codes []string
		for i := range 1000 {
			code := fmt.Sprint("8888_", i)
			if codes = append(codes, code); i%2 == 0 {
				s.streams, s.other[code] = append(s.streams, code), true
			}
		}
		c := cloud.NewTencent(cloud.TencentConfig{Domain: "d", App: "live"}, cloud.Options{Rate: rate.NewLimiter(40, 20), Transport: s})
		words := polling(t, &sky{}, Cloud{c.Online, c.IsOnline}, codes...)
		time.Sleep(10 * time.Minute)
		for code, word := range words() {
			if s.other[code] && strings.Contains(word, "offline") || !s.other[code] && strings.Contains(word, "online") {
				t.Fatalf("%s is told to be %s", code, word)
			}
		}
	})
}
