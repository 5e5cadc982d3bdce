package redislog

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"onair/presence"
	"onair/presence/presencetest"
	"onair/presence/redislog/redismodel"
	"onair/presence/redislog/redistest"
)

// archiveAt runs the suite of all archives on a Redis.
func archiveAt(t *testing.T, s Server) {
	t.Helper()
	open := func(t *testing.T) presencetest.Archive {
		return Open(Options{Client: Dial(s), Prefix: strings.ReplaceAll(t.Name(), "/", "-")})
	}
	presencetest.RunArchive(t, open, open)
}

func TestArchive(t *testing.T) { archiveAt(t, Server{Addrs: []string{redistest.Start(t).Addr()}}) }

func TestArchiveSentinel(t *testing.T) {
	s := redistest.StartSentinel(t, 1)
	archiveAt(t, Server{Addrs: s.Addrs(), MasterName: redistest.MasterName})
}

func TestArchiveCluster(t *testing.T) {
	archiveAt(t, Server{Addrs: redistest.StartCluster(t, 3, 0).Addrs()})
}

// TestArchiveOnModel: what stands in for a Redis in other tests does what one does.
func TestArchiveOnModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// With delay, time goes by for rapid too, which gives it up in time to make a
		// failure smaller.
		l := Open(Options{Client: redismodel.New(redismodel.Options{}).Dial(1, redismodel.Weather{Delay: 100 * time.Millisecond}).Client()})
		defer l.Close()
		presencetest.CheckArchive(t, l)
	})
}

// TestArchiveInBadWeather: whatever is lost, late or comes twice on the way, what is
// kept again until it is acknowledged is there, once, and nothing else is.
func TestArchiveInBadWeather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const anchors, rounds = 3, 60
		redis := redismodel.New(redismodel.Options{})
		var wg sync.WaitGroup
		for n := range anchors {
			l := Open(Options{Client: redis.Dial(uint64(n), redismodel.Weather{
				Delay: 50 * time.Millisecond, Lost: 0.2, Late: 0.2, LostReads: 0.1,
			}).Client()})
			defer l.Close()
			wg.Go(func() {
				for i := range rounds {
					rec := recordingOf(fmt.Sprint("r", n), fmt.Sprint("anchor", n, i%2), int64(i))
					for l.Keep(t.Context(), []presence.Recording{rec, recordingOf("shared", rec.Anchor, int64(i))}) != nil {
					}
				}
			})
		}
		wg.Wait()
		time.Sleep(time.Minute) // what is late comes
		l := Open(Options{Client: redis.Dial(9, redismodel.Weather{}).Client()})
		defer l.Close()
		all, _, err := l.Recordings(t.Context(), presence.RecordingQuery{Limit: 100})
		if err != nil || len(all) != anchors+1 {
			t.Fatalf("there are %+v, %v", all, err)
		}
		for _, rec := range all {
			if rec.ID != "shared" && rec.StartedAt != rounds-1 {
				t.Errorf("%s is of round %d", rec.ID, rec.StartedAt)
			}
		}
		for n := range anchors {
			for i := range 2 {
				who, want := fmt.Sprint("anchor", n, i), 0
				for _, rec := range all {
					if rec.Anchor == who {
						want++
					}
				}
				if got, _, err := l.Recordings(t.Context(), presence.RecordingQuery{Anchor: who, Limit: 100}); err != nil || len(got) != want {
					t.Errorf("of %s there are %+v, %v, want %d", who, got, err, want)
				}
			}
		}
	})
}

// openArchive opens one that is closed when the test ends.
func openArchive(t *testing.T, r *redistest.Server) *Log {
	t.Helper()
	l := Open(Options{Client: Dial(Server{Addrs: []string{r.Addr()}})})
	t.Cleanup(func() { l.Close() })
	return l
}

func recordingOf(id, anchor string, started int64) presence.Recording {
	return presence.Recording{ID: id, Anchor: anchor, Code: "8888_" + anchor, StartedAt: started, EndedAt: started + 1000}
}

// indexed is how many members the archive's indexes have, by key.
func indexed(t *testing.T, r *redistest.Server) map[string]int64 {
	t.Helper()
	names, err := r.Client().Keys(t.Context(), "{onair}:recordings:*").Result()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int64{}
	for _, name := range names {
		out[strings.TrimPrefix(name, "{onair}:recordings:")] = r.Do("ZCARD", name).(int64)
	}
	return out
}

// TestIndexesHaveNothingStale: whatever a recording was, they have what it is; and
// nothing when it is gone.
func TestIndexesHaveNothingStale(t *testing.T) {
	r := redistest.Start(t)
	l := openArchive(t, r)
	for _, rec := range []presence.Recording{
		recordingOf("1", "ann", 1000), recordingOf("1", "ann", 2000), recordingOf("1", "bob", 2000), recordingOf("1", "", -7),
		recordingOf("1", "ann", 1000),
	} {
		if rec.Anchor == "" {
			rec.Code = ""
		}
		for range 2 {
			if err := l.Keep(t.Context(), []presence.Recording{rec}); err != nil {
				t.Fatal(err)
			}
		}
		want := map[string]int64{"start": 1, "end": 1}
		if rec.Anchor != "" {
			want["anchor:"+rec.Anchor], want["code:"+rec.Code] = 1, 1
		}
		got := indexed(t, r)
		for name, n := range want {
			if got[name] != n {
				t.Errorf("%+v: the indexes have %v, want %v", rec, got, want)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%+v: the indexes are %v, want %v", rec, got, want)
		}
	}
	if n, err := l.Discard(t.Context(), math.MaxInt64, 10); n != 1 || err != nil {
		t.Fatalf("discarded %d, %v", n, err)
	}
	if n := r.Do("DBSIZE"); n != int64(0) {
		t.Errorf("%v keys are left: %v", n, r.Do("KEYS", "*"))
	}
}

// TestLookOnceMore: who names both anchor and code gets whole pages, though one
// script does not look at all that one of the two has.
func TestLookOnceMore(t *testing.T) {
	l := openArchive(t, redistest.Start(t))
	var all []presence.Recording
	for i := range 2*lookAtOnce + 500 {
		rec := recordingOf(fmt.Sprintf("%05d", i), "ann", 1000)
		if i%lookAtOnce != 0 {
			rec.Code = "8888_other"
		}
		all = append(all, rec, recordingOf(fmt.Sprintf("b%05d", i), "bob", 1000))
		all[len(all)-1].Code = "8888_ann" // so that both indexes are long
	}
	if err := l.Keep(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	q := presence.RecordingQuery{Anchor: "ann", Code: "8888_ann", Limit: 2}
	page, next, err := l.Recordings(t.Context(), q)
	if err != nil || len(page) != 2 || page[0].ID != "04000" || page[1].ID != "02000" || next == "" {
		t.Fatalf("%+v, %q, %v", page, next, err)
	}
	q.After = next
	if page, next, err = l.Recordings(t.Context(), q); err != nil || len(page) != 1 || page[0].ID != "00000" || next != "" {
		t.Fatalf("%+v, %q, %v", page, next, err)
	}
	q.Code, q.After = "8888_other", ""
	seen := map[string]bool{}
	for n, q := 0, q; n == 0 || q.After != ""; n++ {
		q.Limit = presence.MaxRecordingPage
		page, next, err := l.Recordings(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range page {
			if seen[rec.ID] {
				t.Errorf("%s comes twice", rec.ID)
			}
			seen[rec.ID] = true
		}
		q.After = next
	}
	if want := 2*lookAtOnce + 500 - 3; len(seen) != want {
		t.Errorf("%d came, want %d", len(seen), want)
	}
}

// TestLateWrite: a write that comes late, after another one, changes nothing.
func TestLateWrite(t *testing.T) {
	r := redistest.Start(t)
	l := openArchive(t, r)
	first, second := recordingOf("1", "ann", 1000), recordingOf("1", "bob", 2000)
	late := l.newExchange()
	if err := late.put("", &first); err != nil {
		t.Fatal(err)
	}
	if err := l.Keep(t.Context(), []presence.Recording{second}); err != nil {
		t.Fatal(err)
	}
	if done, err := late.do(t.Context()); done || err != nil {
		t.Errorf("a late write: %v, %v", done, err)
	}
	if rec, _, err := l.Recording(t.Context(), "1"); err != nil || rec != second {
		t.Errorf("then it is %+v, %v", rec, err)
	}
	if n := indexed(t, r); len(n) != 4 || n["anchor:ann"] != 0 {
		t.Errorf("the indexes have %v", n)
	}
}

// TestNewerRecording: one that a newer version wrote is said, not left out, nor
// written over or discarded.
func TestNewerRecording(t *testing.T) {
	r := redistest.Start(t)
	l := openArchive(t, r)
	rec := recordingOf("1", "ann", 1000)
	if err := l.Keep(t.Context(), []presence.Recording{rec}); err != nil {
		t.Fatal(err)
	}
	newer := rec.Encode()
	newer[0] = math.MaxUint8
	r.Do("HSET", l.keys.recordings, "1", newer)
	_, _, err := l.Recordings(t.Context(), presence.RecordingQuery{Limit: 1})
	_, _, err2 := l.Recording(t.Context(), "1")
	_, err3 := l.Discard(t.Context(), math.MaxInt64, 1)
	for i, err := range []error{l.Keep(t.Context(), []presence.Recording{rec}), err, err2, err3} {
		if !errors.Is(err, presence.ErrRules) {
			t.Errorf("call %d: %v", i, err)
		}
	}
	if got := r.Do("HGET", l.keys.recordings, "1"); got != string(newer) {
		t.Errorf("it is %q now", got)
	}
}

// TestArchiveStrangers: keys that are somebody else's are left alone, and nothing is
// kept by halves; one whose recording somebody has removed is said.
func TestArchiveStrangers(t *testing.T) {
	r := redistest.Start(t)
	l := openArchive(t, r)
	rec := recordingOf("1", "ann", 1000)
	for _, key := range []string{l.keys.recordings, l.keys.byStart, l.keys.byEnd, l.keys.byCode + rec.Code} {
		r.Do("SET", key, "a stranger's")
		if err := l.Keep(t.Context(), []presence.Recording{rec}); err == nil || !strings.Contains(err.Error(), wrongType) {
			t.Errorf("%s: %v", key, err)
		}
		if n := r.Do("DBSIZE"); n != int64(1) || r.Do("GET", key) != "a stranger's" {
			t.Errorf("%s: there are %v", key, r.Do("KEYS", "*"))
		}
		r.Do("DEL", key)
	}
	if err := l.Keep(t.Context(), []presence.Recording{rec}); err != nil {
		t.Fatal(err)
	}
	r.Do("HDEL", l.keys.recordings, "1")
	if _, _, err := l.Recordings(t.Context(), presence.RecordingQuery{Limit: 1}); !errors.Is(err, errIndex) {
		t.Errorf("a page: %v", err)
	}
	if _, err := l.Discard(t.Context(), math.MaxInt64, 1); !errors.Is(err, errIndex) {
		t.Errorf("discard: %v", err)
	}
}

// TestArchiveAway: it says so, does not wait, changes nothing, and comes back.
func TestArchiveAway(t *testing.T) {
	r := redistest.Start(t, "--appendonly", "yes")
	l := openArchive(t, r)
	keep := func(id string) error { return l.Keep(t.Context(), []presence.Recording{recordingOf(id, "ann", 1000)}) }
	if err := keep("1"); err != nil {
		t.Fatal(err)
	}
	r.Do("CONFIG", "SET", "maxmemory", "1")
	if err := keep("2"); err == nil || !strings.Contains(err.Error(), "OOM") {
		t.Errorf("out of memory: %v", err)
	}
	r.Do("CONFIG", "SET", "maxmemory", "0")
	if n := indexed(t, r); n["start"] != 1 || n["end"] != 1 {
		t.Errorf("out of memory the indexes have %v", n)
	}
	r.Pause()
	soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := l.Recording(soon, "1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without an answer: %v", err)
	}
	r.Resume()
	r.Stop()
	_, _, err := l.Recordings(t.Context(), presence.RecordingQuery{Limit: 1})
	_, _, err2 := l.Recording(t.Context(), "1")
	n, err3 := l.Discard(t.Context(), math.MaxInt64, 1)
	for i, err := range []error{keep("2"), err, err2, err3} {
		if err == nil || errors.Is(err, context.Canceled) {
			t.Errorf("call %d while it is away: %v", i, err)
		}
	}
	if n != 0 {
		t.Errorf("%d were discarded", n)
	}
	r.Restart()
	if page, _, err := l.Recordings(t.Context(), presence.RecordingQuery{Limit: 9}); err != nil || len(page) != 1 || page[0] != recordingOf("1", "ann", 1000) {
		t.Errorf("afterwards there are %+v, %v", page, err)
	}
}

// TestArchiveTurns: however many want something of the archive, the list has
// connections, and who waits need not wait for ever.
func TestArchiveTurns(t *testing.T) {
	r := redistest.Start(t)
	l := openArchive(t, r)
	l.yields = 0
	if _, _, err := l.Load(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for range archiveTurns {
		if err := l.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	soon, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, _, err := l.Recording(soon, "1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("one too many: %v", err)
	}
	b := presence.Batch{Node: "a", Boot: 1, Origin: 1, No: 1, Knows: presence.Rules}
	if err := l.Append(t.Context(), b.Seal()); err != nil {
		t.Errorf("the list: %v", err)
	}
	l.leave()
	for range connections {
		if _, _, err := l.Recording(t.Context(), "1"); err != nil {
			t.Error(err)
		}
		if _, _, err := l.Recordings(t.Context(), presence.RecordingQuery{After: "x"}); !errors.Is(err, presence.ErrBadCursor) {
			t.Error(err)
		}
		if _, err := l.Discard(t.Context(), 1, 1); err != nil {
			t.Error(err)
		}
		if err := l.Keep(t.Context(), nil); err != nil {
			t.Error(err)
		}
	}
	if err := l.enter(t.Context()); err != nil {
		t.Fatal(err)
	}
	waits := make(chan error)
	go func() {
		_, err := l.Discard(t.Context(), 1, 1)
		waits <- err
	}()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-waits; !errors.Is(err, errClosed) {
		t.Errorf("one who waits when it is closed: %v", err)
	}
}

// TestArchiveFlushed: with all that Redis had, recordings are gone, and others can
// be kept.
func TestArchiveFlushed(t *testing.T) {
	r := redistest.Start(t)
	l := openArchive(t, r)
	for range 2 {
		if err := l.Keep(t.Context(), []presence.Recording{recordingOf("1", "ann", 1000)}); err != nil {
			t.Fatal(err)
		}
		if page, _, err := l.Recordings(t.Context(), presence.RecordingQuery{Limit: 9}); err != nil || len(page) != 1 {
			t.Errorf("there are %+v, %v", page, err)
		}
		r.Do("FLUSHALL")
		if page, _, err := l.Recordings(t.Context(), presence.RecordingQuery{Limit: 9}); err != nil || len(page) != 0 {
			t.Errorf("there are %+v, %v", page, err)
		}
	}
}
