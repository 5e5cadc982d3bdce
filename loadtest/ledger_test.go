package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"onair/hub/wire"
)

// newBook has one session, heard at one second, with beats every two.
func newBook() (*ledger, *session) {
	l := newLedger("run")
	l.setLeaseParams(2*time.Second, 3)
	e := entry("a", 1)
	e.Anchor = "run-1"
	return l, l.addSession(e, "run-0", time.Second)
}

func TestLeft(t *testing.T) {
	for _, test := range []struct {
		name string
		do   func(*ledger, *session)
		at   time.Duration
		ok   bool
	}{
		{"it beat", nil, 6999 * time.Millisecond, false},
		{"three intervals have passed", nil, 7 * time.Second, true},
		{"it beat again", func(_ *ledger, s *session) { s.acknowledgedAt = 2 * time.Second }, 7 * time.Second, false},
		{"it crashed", func(_ *ledger, s *session) { s.hasCrashed = true }, 6 * time.Second, false},
		{"it crashed long ago", func(_ *ledger, s *session) { s.hasCrashed = true }, 8 * time.Second, true},
		{"it was stopped", func(_ *ledger, s *session) { s.endPermittedAt = 3 * time.Second }, 3 * time.Second, true},
		{"before it was stopped", func(_ *ledger, s *session) { s.endPermittedAt = 3 * time.Second }, 2 * time.Second, false},
		{"a session had shorter beats", func(l *ledger, _ *session) { l.setLeaseParams(time.Second, 3) }, 4 * time.Second, true},
	} {
		l, s := newBook()
		if test.do != nil {
			test.do(l, s)
		}
		if wrong := l.judgeDeparture("a", 1, test.at); wrong == "" != test.ok {
			t.Errorf("%s, seen to leave at %v: %q", test.name, test.at, wrong)
		}
		if wrong := l.judgeDeparture("a", 2, test.at); wrong != "" || l.unjudgedDepartures != 1 {
			t.Errorf("a session that is not ours is judged: %q", wrong)
		}
	}
}

func TestAudit(t *testing.T) {
	ours := func(change func(*wire.Entry)) []wire.Entry {
		e := entry("a", 1)
		e.Anchor = "run-1"
		if change != nil {
			change(&e)
		}
		return []wire.Entry{e}
	}
	for name, test := range map[string]struct {
		do    func(*session)
		fresh []wire.Entry
		total int // beyond those
		want  string
	}{
		"as told":            {fresh: ours(nil)},
		"with new counters":  {fresh: ours(func(e *wire.Entry) { e.Viewers, e.Likes, e.State = 3, 4, wire.StateAway })},
		"not listed":         {want: "not listed"},
		"not in the window":  {total: 5},
		"another title":      {fresh: ours(func(e *wire.Entry) { e.Title = "x" }), want: "was told"},
		"an unknown session": {fresh: ours(func(e *wire.Entry) { e.StartedAt = 9 }), total: 5, want: "no anchor"},
		"somebody else's":    {fresh: append(ours(nil), entry("b", 3))},
		"an answer was lost": {do: func(s *session) { s.uncertainExtras = doubts("x", "y") }, fresh: ours(func(e *wire.Entry) { e.Extra = doubts("y")[0] })},
		"another than lost":  {do: func(s *session) { s.uncertainExtras = doubts("x") }, fresh: ours(func(e *wire.Entry) { e.Extra = doubts("y")[0] }), want: "was told"},
		"stopped":            {do: func(s *session) { s.endPermittedAt, s.isEnded = 1, true }},
		"stopped and listed": {do: func(s *session) { s.endPermittedAt, s.isEnded = 1, true }, fresh: ours(nil), want: "stop was acknowledged"},
		"crashed":            {do: func(s *session) { s.hasCrashed = true }},
	} {
		l, s := newBook()
		l.updateSession(s, func(s *session) {
			if test.do != nil {
				test.do(s)
			}
		})
		fresh := must(t, newView(1).emptyList, snapshot("1", test.fresh...))
		fresh.total += test.total
		var got []string
		l.auditList(fresh, "run-0", func(what string) { got = append(got, what) })
		if all := strings.Join(got, "; "); (test.want == "") != (all == "") || !strings.Contains(all, test.want) {
			t.Errorf("%s: got %q, want %q", name, all, test.want)
		}
	}
}

// doubts are extras.
func doubts(text ...string) (out []json.RawMessage) {
	for _, s := range text {
		out = append(out, json.RawMessage(`{"x":"`+s+`"}`))
	}
	return out
}

// TestMayEndOnce: a session that was stopped is not taken back by the start of
// the next one.
func TestMayEndOnce(t *testing.T) {
	l, s := newBook()
	l.permitEnd(s, 2*time.Second)
	l.permitEnd(s, 4*time.Second)
	if wrong := l.judgeDeparture("a", 1, 3*time.Second); wrong != "" {
		t.Error(wrong)
	}
	l.permitEnd(nil, 0) // of an anchor's first start
}

func TestSettled(t *testing.T) {
	l, s := newBook()
	s.openUpdates = 1
	if l.isSettled() {
		t.Error("settled with an update that is not answered")
	}
	if s.endPermittedAt = 1; !l.isSettled() {
		t.Error("a session that was stopped is waited for")
	}
}
