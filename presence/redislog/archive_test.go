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

// runArchiveSuite runs the suite of all archives on one Redis.
func runArchiveSuite(t *testing.T, c ClientOptions) {
	t.Helper()
	open := func(t *testing.T) presencetest.Archive {
		return Open(Options{Client: NewClient(c), Prefix: strings.ReplaceAll(t.Name(), "/", "-")})
	}
	presencetest.RunArchiveSuite(t, open, open)
}

func TestArchive(t *testing.T) {
	runArchiveSuite(t, ClientOptions{Addrs: []string{redistest.Start(t).Addr()}})
}

func TestArchiveSentinel(t *testing.T) {
	s := redistest.StartSentinel(t, 1)
	runArchiveSuite(t, ClientOptions{Addrs: s.Addrs(), MasterName: redistest.MasterName})
}

func TestArchiveCluster(t *testing.T) {
	runArchiveSuite(t, ClientOptions{Addrs: redistest.StartCluster(t, 3, 0).Addrs()})
}

// TestArchiveOnModel: the model of Redis, which other tests use, works as Redis does.
func TestArchiveOnModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The delay lets rapid's limit for the shrinking of a failure pass.
		l := Open(Options{Client: redismodel.New(redismodel.Options{}).Dial(1, redismodel.Faults{MaxDelay: 100 * time.Millisecond}).Client()})
		defer l.Close()
		presencetest.CheckArchiveAgainstModel(t, l)
	})
}

// TestArchiveWithNetworkFaults: with lost, late and duplicated requests, the archive has
// exactly what callers retried until it was acknowledged.
func TestArchiveWithNetworkFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const anchors, rounds = 3, 60
		redis := redismodel.New(redismodel.Options{})
		var wg sync.WaitGroup
		for n := range anchors {
			l := Open(Options{Client: redis.Dial(uint64(n), redismodel.Faults{
				MaxDelay: 50 * time.Millisecond, LostWriteReplies: 0.2, LateWrites: 0.2, LostReadReplies: 0.1,
			}).Client()})
			defer l.Close()
			wg.Go(func() {
				for i := range rounds {
					rec := recordingOf(fmt.Sprint("r", n), fmt.Sprint("anchor", n, i%2), int64(i))
					for l.Store(t.Context(), []presence.Recording{rec, recordingOf("shared", rec.Anchor, int64(i))}) != nil {
					}
				}
			})
		}
		wg.Wait()
		time.Sleep(time.Minute) // until late requests have arrived
		l := Open(Options{Client: redis.Dial(9, redismodel.Faults{}).Client()})
		defer l.Close()
		all, _, err := l.Recordings(t.Context(), presence.RecordingQuery{Limit: 100})
		if err != nil || len(all) != anchors+1 {
			t.Fatalf("the archive has %+v, %v", all, err)
		}
		for _, rec := range all {
			if rec.ID != "shared" && rec.StartedAt != rounds-1 {
				t.Errorf("%s is of round %d", rec.ID, rec.StartedAt)
			}
		}
		for n := range anchors {
			for i := range 2 {
				anchor, want := fmt.Sprint("anchor", n, i), 0
				for _, rec := range all {
					if rec.Anchor == anchor {
						want++
					}
				}
				if got, _, err := l.Recordings(t.Context(), presence.RecordingQuery{Anchor: anchor, Limit: 100}); err != nil || len(got) != want {
					t.Errorf("%s has %+v, %v, want %d", anchor, got, err, want)
				}
			}
		}
	})
}

func openLogOn(t *testing.T, s *redistest.Server) *Log {
	t.Helper()
	return openLog(t, Options{Client: NewClient(ClientOptions{Addrs: []string{s.Addr()}})})
}

func recordingOf(id, anchor string, started int64) presence.Recording {
	return presence.Recording{ID: id, Anchor: anchor, Code: "8888_" + anchor, StartedAt: started, EndedAt: started + 1000}
}

// indexSizes returns the number of members of each index, by the end of its key.
func indexSizes(t *testing.T, s *redistest.Server) map[string]int64 {
	t.Helper()
	keys, err := s.Client().Keys(t.Context(), "{onair}:recordings:*").Result()
	if err != nil {
		t.Fatal(err)
	}
	sizes := map[string]int64{}
	for _, key := range keys {
		sizes[strings.TrimPrefix(key, "{onair}:recordings:")] = s.Do("ZCARD", key).(int64)
	}
	return sizes
}

// TestIndexesHaveNoStaleMembers: after each change the indexes have the recording's
// current values alone, and nothing after its deletion.
func TestIndexesHaveNoStaleMembers(t *testing.T) {
	s := redistest.Start(t)
	l := openLogOn(t, s)
	for _, rec := range []presence.Recording{
		recordingOf("1", "ann", 1000), recordingOf("1", "ann", 2000), recordingOf("1", "bob", 2000), recordingOf("1", "", -7),
		recordingOf("1", "ann", 1000),
	} {
		if rec.Anchor == "" {
			rec.Code = ""
		}
		for range 2 {
			if err := l.Store(t.Context(), []presence.Recording{rec}); err != nil {
				t.Fatal(err)
			}
		}
		want := map[string]int64{"start": 1, "end": 1}
		if rec.Anchor != "" {
			want["anchor:"+rec.Anchor], want["code:"+rec.Code] = 1, 1
		}
		got := indexSizes(t, s)
		for name, n := range want {
			if got[name] != n {
				t.Errorf("%+v: the index sizes are %v, want %v", rec, got, want)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%+v: the index sizes are %v, want %v", rec, got, want)
		}
	}
	if n, err := l.DeleteRecordings(t.Context(), math.MaxInt64, 10); n != 1 || err != nil {
		t.Fatalf("discarded %d, %v", n, err)
	}
	if n := s.Do("DBSIZE"); n != int64(0) {
		t.Errorf("%v keys are left: %v", n, s.Do("KEYS", "*"))
	}
}

// TestScanContinues: a query with anchor and code gets whole pages, though one script
// does not examine the whole index.
func TestScanContinues(t *testing.T) {
	l := openLogOn(t, redistest.Start(t))
	var all []presence.Recording
	for i := range 2*maxMembersPerScan + 500 {
		rec := recordingOf(fmt.Sprintf("%05d", i), "ann", 1000)
		if i%maxMembersPerScan != 0 {
			rec.Code = "8888_other"
		}
		all = append(all, rec, recordingOf(fmt.Sprintf("b%05d", i), "bob", 1000))
		all[len(all)-1].Code = "8888_ann" // both indexes are long
	}
	if err := l.Store(t.Context(), all); err != nil {
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
		q.Limit = presence.MaxRecordingPageSize
		page, next, err := l.Recordings(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range page {
			if seen[rec.ID] {
				t.Errorf("%s is on two pages", rec.ID)
			}
			seen[rec.ID] = true
		}
		q.After = next
	}
	if want := 2*maxMembersPerScan + 500 - 3; len(seen) != want {
		t.Errorf("%d recordings, want %d", len(seen), want)
	}
}

// TestLateUpdateChangesNothing: an update that arrives after another write is dropped.
func TestLateUpdateChangesNothing(t *testing.T) {
	s := redistest.Start(t)
	l := openLogOn(t, s)
	first, second := recordingOf("1", "ann", 1000), recordingOf("1", "bob", 2000)
	late := &recordingUpdate{log: l}
	if err := late.addChange("", &first); err != nil {
		t.Fatal(err)
	}
	if err := l.Store(t.Context(), []presence.Recording{second}); err != nil {
		t.Fatal(err)
	}
	if done, err := late.execute(t.Context()); done || err != nil {
		t.Errorf("a late update: %v, %v", done, err)
	}
	if rec, _, err := l.Recording(t.Context(), "1"); err != nil || rec != second {
		t.Errorf("then the recording is %+v, %v", rec, err)
	}
	if sizes := indexSizes(t, s); len(sizes) != 4 || sizes["anchor:ann"] != 0 {
		t.Errorf("the index sizes are %v", sizes)
	}
}

// TestNewerRecordingIsAnError: no call skips, replaces or deletes a recording of a newer
// version.
func TestNewerRecordingIsAnError(t *testing.T) {
	s := redistest.Start(t)
	l := openLogOn(t, s)
	rec := recordingOf("1", "ann", 1000)
	if err := l.Store(t.Context(), []presence.Recording{rec}); err != nil {
		t.Fatal(err)
	}
	newer := rec.Encode()
	newer[0] = math.MaxUint8
	s.Do("HSET", l.keys.recordings, "1", newer)
	_, _, err := l.Recordings(t.Context(), presence.RecordingQuery{Limit: 1})
	_, _, err2 := l.Recording(t.Context(), "1")
	_, err3 := l.DeleteRecordings(t.Context(), math.MaxInt64, 1)
	for i, err := range []error{l.Store(t.Context(), []presence.Recording{rec}), err, err2, err3} {
		if !errors.Is(err, presence.ErrNewerVersion) {
			t.Errorf("call %d: %v", i, err)
		}
	}
	if got := s.Do("HGET", l.keys.recordings, "1"); got != string(newer) {
		t.Errorf("then it is %q", got)
	}
}

// TestArchiveForeignKeys: calls leave the keys of another application, and write nothing
// in part. A recording that another application has deleted is an error.
func TestArchiveForeignKeys(t *testing.T) {
	s := redistest.Start(t)
	l := openLogOn(t, s)
	rec := recordingOf("1", "ann", 1000)
	for _, key := range []string{l.keys.recordings, l.keys.recordingsByStart, l.keys.recordingsByEnd, l.keys.recordingsByCodePrefix + rec.Code} {
		s.Do("SET", key, "foreign")
		if err := l.Store(t.Context(), []presence.Recording{rec}); err == nil || !strings.Contains(err.Error(), "WRONGTYPE") {
			t.Errorf("%s: %v", key, err)
		}
		if n := s.Do("DBSIZE"); n != int64(1) || s.Do("GET", key) != "foreign" {
			t.Errorf("%s: the keys are %v", key, s.Do("KEYS", "*"))
		}
		s.Do("DEL", key)
	}
	if err := l.Store(t.Context(), []presence.Recording{rec}); err != nil {
		t.Fatal(err)
	}
	s.Do("HDEL", l.keys.recordings, "1")
	if _, _, err := l.Recordings(t.Context(), presence.RecordingQuery{Limit: 1}); !errors.Is(err, errMissingRecording) {
		t.Errorf("a page: %v", err)
	}
	if _, err := l.DeleteRecordings(t.Context(), math.MaxInt64, 1); !errors.Is(err, errMissingRecording) {
		t.Errorf("discard: %v", err)
	}
}

// TestArchiveUnreachable: while Redis is unreachable, calls fail at once and change
// nothing.
func TestArchiveUnreachable(t *testing.T) {
	s := redistest.Start(t, "--appendonly", "yes")
	l := openLogOn(t, s)
	keep := func(id string) error { return l.Store(t.Context(), []presence.Recording{recordingOf(id, "ann", 1000)}) }
	if err := keep("1"); err != nil {
		t.Fatal(err)
	}
	s.Do("CONFIG", "SET", "maxmemory", "1")
	if err := keep("2"); err == nil || !strings.Contains(err.Error(), "OOM") {
		t.Errorf("out of memory: %v", err)
	}
	s.Do("CONFIG", "SET", "maxmemory", "0")
	if sizes := indexSizes(t, s); sizes["start"] != 1 || sizes["end"] != 1 {
		t.Errorf("out of memory the index sizes are %v", sizes)
	}
	s.Pause()
	soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := l.Recording(soon, "1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without a reply: %v", err)
	}
	s.Resume()
	s.Stop()
	_, _, err := l.Recordings(t.Context(), presence.RecordingQuery{Limit: 1})
	_, _, err2 := l.Recording(t.Context(), "1")
	n, err3 := l.DeleteRecordings(t.Context(), math.MaxInt64, 1)
	for i, err := range []error{keep("2"), err, err2, err3} {
		if err == nil || errors.Is(err, context.Canceled) {
			t.Errorf("call %d while Redis is down: %v", i, err)
		}
	}
	if n != 0 {
		t.Errorf("%d discarded", n)
	}
	s.Restart()
	if page, _, err := l.Recordings(t.Context(), presence.RecordingQuery{Limit: 9}); err != nil || len(page) != 1 || page[0] != recordingOf("1", "ann", 1000) {
		t.Errorf("afterwards the archive has %+v, %v", page, err)
	}
}

// TestArchiveSlots: busy callers of the archive leave connections for the log. A waiting
// call ends with its context, or with Close.
func TestArchiveSlots(t *testing.T) {
	s := redistest.Start(t)
	l := openLogOn(t, s)
	mustLoad(t, l)
	for range maxArchiveCalls {
		if err := l.acquireArchiveSlot(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	soon, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, _, err := l.Recording(soon, "1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("one call too many: %v", err)
	}
	if err := l.Append(t.Context(), emptyBatch(1)); err != nil {
		t.Errorf("append: %v", err)
	}
	l.releaseArchiveSlot()
	for range maxConnections {
		if _, _, err := l.Recording(t.Context(), "1"); err != nil {
			t.Error(err)
		}
		if _, _, err := l.Recordings(t.Context(), presence.RecordingQuery{After: "x"}); !errors.Is(err, presence.ErrBadCursor) {
			t.Error(err)
		}
		if _, err := l.DeleteRecordings(t.Context(), 1, 1); err != nil {
			t.Error(err)
		}
		if err := l.Store(t.Context(), nil); err != nil {
			t.Error(err)
		}
	}
	if err := l.acquireArchiveSlot(t.Context()); err != nil {
		t.Fatal(err)
	}
	result := make(chan error)
	go func() {
		_, err := l.DeleteRecordings(t.Context(), 1, 1)
		result <- err
	}()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-result; !errors.Is(err, errArchiveClosed) {
		t.Errorf("a call that waits during Close: %v", err)
	}
}

// TestArchiveAfterFlush: a flush deletes the recordings, and new ones can be stored.
func TestArchiveAfterFlush(t *testing.T) {
	s := redistest.Start(t)
	l := openLogOn(t, s)
	for range 2 {
		if err := l.Store(t.Context(), []presence.Recording{recordingOf("1", "ann", 1000)}); err != nil {
			t.Fatal(err)
		}
		if page, _, err := l.Recordings(t.Context(), presence.RecordingQuery{Limit: 9}); err != nil || len(page) != 1 {
			t.Errorf("the archive has %+v, %v", page, err)
		}
		s.Do("FLUSHALL")
		if page, _, err := l.Recordings(t.Context(), presence.RecordingQuery{Limit: 9}); err != nil || len(page) != 0 {
			t.Errorf("the archive has %+v, %v", page, err)
		}
	}
}
