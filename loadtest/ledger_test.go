package main

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"onair/hub/wire"
)

// newTestLedger has one session, whose start was sent after one second, with a beat
// interval of two.
func newTestLedger() (*ledger, *session) {
	l := newLedger("run")
	l.recordLeaseParams(2*time.Second, 3)
	e := newEntry("a", 1)
	e.Anchor = "run-1"
	return l, l.addSession(e, "run-0", time.Second)
}

func TestJudgeDeparture(t *testing.T) {
	for _, test := range []struct {
		name        string
		change      func(*ledger, *session)
		at          time.Duration
		isPermitted bool
	}{
		{"it beat", nil, 6999 * time.Millisecond, false},
		{"three intervals have passed", nil, 7 * time.Second, true},
		{"it beat again", func(_ *ledger, s *session) { s.acknowledgedAt = 2 * time.Second }, 7 * time.Second, false},
		{"it crashed", func(_ *ledger, s *session) { s.hasCrashed = true }, 6 * time.Second, false},
		{"it crashed long ago", func(_ *ledger, s *session) { s.hasCrashed = true }, 8 * time.Second, true},
		{"it was stopped", func(_ *ledger, s *session) { s.endPermittedAt = 3 * time.Second }, 3 * time.Second, true},
		{"before it was stopped", func(_ *ledger, s *session) { s.endPermittedAt = 3 * time.Second }, 2 * time.Second, false},
		{"a session had shorter beats", func(l *ledger, _ *session) { l.recordLeaseParams(time.Second, 3) }, 4 * time.Second, true},
	} {
		l, s := newTestLedger()
		if test.change != nil {
			test.change(l, s)
		}
		if violation := l.judgeDeparture("a", 1, test.at); violation == "" != test.isPermitted {
			t.Errorf("%s, left at %v: %q", test.name, test.at, violation)
		}
		if violation := l.judgeDeparture("a", 2, test.at); violation != "" || l.unjudgedDepartures != 1 {
			t.Errorf("a session of another run is judged: %q", violation)
		}
	}
}

func TestAuditList(t *testing.T) {
	ours := func(change func(*wire.Entry)) []wire.Entry {
		e := newEntry("a", 1)
		e.Anchor = "run-1"
		if change != nil {
			change(&e)
		}
		return []wire.Entry{e}
	}
	for name, test := range map[string]struct {
		change func(*session)
		fresh  []wire.Entry
		total  int // more matches than entries
		want   string
	}{
		"as promised":        {fresh: ours(nil)},
		"with new counters":  {fresh: ours(func(e *wire.Entry) { e.Viewers, e.Likes, e.State = 3, 4, wire.StateAway })},
		"not listed":         {want: "not listed"},
		"not in the window":  {total: 5},
		"another title":      {fresh: ours(func(e *wire.Entry) { e.Title = "x" }), want: "was promised"},
		"an unknown session": {fresh: ours(func(e *wire.Entry) { e.StartedAt = 9 }), total: 5, want: "no anchor"},
		"of another user":    {fresh: append(ours(nil), newEntry("b", 3))},
		"an answer was lost": {change: func(s *session) { s.uncertainExtras = extras("x", "y") }, fresh: ours(func(e *wire.Entry) { e.Extra = extras("y")[0] })},
		"another than lost":  {change: func(s *session) { s.uncertainExtras = extras("x") }, fresh: ours(func(e *wire.Entry) { e.Extra = extras("y")[0] }), want: "was promised"},
		"stopped":            {change: func(s *session) { s.endPermittedAt, s.isEnded = 1, true }},
		"stopped and listed": {change: func(s *session) { s.endPermittedAt, s.isEnded = 1, true }, fresh: ours(nil), want: "stop was acknowledged"},
		"crashed":            {change: func(s *session) { s.hasCrashed = true }},
	} {
		l, s := newTestLedger()
		l.updateSession(s, func(s *session) {
			if test.change != nil {
				test.change(s)
			}
		})
		fresh := mustApply(t, newView(1).emptyList, newSnapshot("1", test.fresh...))
		fresh.total += test.total
		if all := strings.Join(l.auditList(fresh, "run-0"), "; "); (test.want == "") != (all == "") || !strings.Contains(all, test.want) {
			t.Errorf("%s: got %q, want %q", name, all, test.want)
		}
	}
}

// extras are extras with those values.
func extras(text ...string) (out []json.RawMessage) {
	for _, s := range text {
		out = append(out, json.RawMessage(`{"x":"`+s+`"}`))
	}
	return out
}

// TestEarliestPermissionToEndHolds: the start of the next session does not withdraw the
// permission of a stop.
func TestEarliestPermissionToEndHolds(t *testing.T) {
	l, s := newTestLedger()
	l.permitEnd(s, 2*time.Second)
	l.permitEnd(s, 4*time.Second)
	if violation := l.judgeDeparture("a", 1, 3*time.Second); violation != "" {
		t.Error(violation)
	}
	l.permitEnd(nil, 0) // before an anchor's first session
}

func TestLedgerIsSettledWithoutOpenUpdates(t *testing.T) {
	l, s := newTestLedger()
	s.openUpdates = 1
	if l.areUpdatesAnswered() {
		t.Error("settled with an open update")
	}
	if s.endPermittedAt = 1; !l.areUpdatesAnswered() {
		t.Error("a stopped session is not settled")
	}
}

// TestAnchorBackoffIsBoundedByLease: an anchor makes several attempts before its lease
// expires.
func TestAnchorBackoffIsBoundedByLease(t *testing.T) {
	l := newLedger("run")
	for _, test := range []struct {
		interval time.Duration
		missed   int
		want     time.Duration
	}{
		{0, 0, 30 * time.Second}, // before the first welcome
		{time.Minute, 3, 30 * time.Second},
		{10 * time.Second, 3, 5 * time.Second},
		{5 * time.Second, 2, 5 * time.Second / 3},
	} {
		if test.interval > 0 {
			l.recordLeaseParams(test.interval, test.missed)
		}
		if got := l.maxAnchorBackoff(); got != test.want {
			t.Errorf("%d intervals of %v: %v, want %v", test.missed, test.interval, got, test.want)
		}
		random := rand.New(rand.NewPCG(1, 1))
		for attempts := range 100 {
			if got := randomBackoff(random, attempts, l.maxAnchorBackoff()); got > test.want {
				t.Errorf("attempt %d waits for %v", attempts, got)
			}
		}
	}
}
