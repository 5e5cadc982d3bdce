package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"onair/hub/wire"
)

// ledger is what the server has promised the anchors: who is live until when,
// and as what. Anchors write it, viewers are judged by it. Times are those of
// the run.
type ledger struct {
	run string // which users' names begin with

	mu       sync.Mutex // guards all below
	interval time.Duration
	missed   int
	sessions map[sessionKey]*session
	tags     map[string]map[sessionKey]*session // the same by tag
	unjudged int
}

// sessionKey names a session as viewers can see it.
type sessionKey struct {
	code      string
	startedAt int64
}

type session struct {
	heard   time.Duration // when the newest message was sent that the server has answered
	mayGo   time.Duration // from when on the session may be over, 0: it may not
	over    bool          // its end was acknowledged
	crashed bool
	entry   wire.Entry        // as the server last told the anchor
	unsure  int               // updates that are not answered yet
	doubts  []json.RawMessage // extras of updates, since, that no answer will tell of
}

func newLedger(run string) *ledger {
	return &ledger{run: run, sessions: map[sessionKey]*session{}, tags: map[string]map[sessionKey]*session{}}
}

// rules notes how often beats are due, and how many may be missed.
func (l *ledger) rules(interval time.Duration, missed int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.interval == 0 || interval < l.interval {
		l.interval = interval // a session may have begun under either: the shorter one promises less
	}
	l.missed = missed
}

// began notes a session whose start was sent at a time.
func (l *ledger) began(e wire.Entry, tag string, sent time.Duration) *session {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &session{heard: sent, entry: e}
	key := sessionKey{e.Code, e.StartedAt}
	l.sessions[key] = s
	if l.tags[tag] == nil {
		l.tags[tag] = map[sessionKey]*session{}
	}
	l.tags[tag][key] = s
	return s
}

// change changes a session. A nil one is none.
func (l *ledger) change(s *session, how func(*session)) {
	if s == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	how(s)
}

// left judges that a viewer saw a session leave. It returns what is wrong with
// that, or "".
func (l *ledger) left(code string, startedAt int64, now time.Duration) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.sessions[sessionKey{code, startedAt}]
	switch {
	case s == nil:
		l.unjudged++ // somebody else's, or its start is not answered yet
		return ""
	case s.mayGo != 0 && s.mayGo <= now:
		return ""
	case now-s.heard >= time.Duration(l.missed)*l.interval:
		return ""
	}
	return fmt.Sprintf("%s was seen to leave %v after a beat that was acknowledged", code, (now - s.heard).Round(time.Millisecond))
}

// mayEnd notes that a session may be over from now on, if it was not so before:
// who judges a departure may have seen it earlier than this.
func (l *ledger) mayEnd(s *session, now time.Duration) {
	l.change(s, func(s *session) {
		if s.mayGo == 0 {
			s.mayGo = now
		}
	})
}

// settled reports whether every update has been answered.
func (l *ledger) settled() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.sessions {
		if s.unsure > 0 && s.mayGo == 0 {
			return false
		}
	}
	return true
}

// audit compares a fresh list of one tag with what was promised, and calls back
// with whatever differs.
func (l *ledger) audit(fresh *list, tag string, differs func(what string)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for code, e := range fresh.entries {
		s := l.sessions[sessionKey{code, e.StartedAt}]
		switch {
		case s == nil && strings.Contains(e.Anchor, l.run):
			differs(fmt.Sprintf("%s is listed with a session that no anchor was told of", code))
		case s != nil && s.over:
			differs(code + " is listed though its stop was acknowledged")
		case s != nil && s.mayGo == 0 && !s.isTold(e):
			differs(fmt.Sprintf("%s is listed as %s, its anchor was told %s", code, wire.AppendEntry(nil, e), wire.AppendEntry(nil, &s.entry)))
		}
	}
	if fresh.cut() {
		return
	}
	for key, s := range l.tags[tag] {
		if s.mayGo == 0 && !s.crashed && fresh.entries[key.code] == nil {
			differs(key.code + " is live and not listed")
		}
	}
}

// isTold says whether an entry is what its anchor was told, or what an update
// may have made of that whose answer was lost.
func (s *session) isTold(e *wire.Entry) bool {
	ok := sameText(&s.entry, e)
	for _, extra := range s.doubts {
		maybe := s.entry
		maybe.Extra = extra
		ok = ok || sameText(&maybe, e)
	}
	return ok
}

// sameText compares what an anchor decides of an entry.
func sameText(a, b *wire.Entry) bool {
	return a.Anchor == b.Anchor && a.Title == b.Title && a.Cover == b.Cover &&
		strings.Join(a.Tags, "\n") == strings.Join(b.Tags, "\n") && bytes.Equal(a.Extra, b.Extra)
}
