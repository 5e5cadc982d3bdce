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
	runID string // which users' names begin with

	mu                 sync.Mutex // guards all below
	beatInterval       time.Duration
	missedLimit        int
	sessions           map[sessionKey]*session
	sessionsByTag      map[string]map[sessionKey]*session // the same by tag
	unjudgedDepartures int
}

// sessionKey names a session as viewers can see it.
type sessionKey struct {
	code      string
	startedAt int64
}

type session struct {
	acknowledgedAt  time.Duration // when the newest message was sent that the server has answered
	endPermittedAt  time.Duration // from when on the session may be over, 0: it may not
	isEnded         bool          // its end was acknowledged
	hasCrashed      bool
	entry           wire.Entry        // as the server last told the anchor
	openUpdates     int               // updates that are not answered yet
	uncertainExtras []json.RawMessage // extras of updates, since, that no answer will tell of
}

func newLedger(run string) *ledger {
	return &ledger{runID: run, sessions: map[sessionKey]*session{}, sessionsByTag: map[string]map[sessionKey]*session{}}
}

// setLeaseParams notes how often beats are due, and how many may be missed.
func (l *ledger) setLeaseParams(interval time.Duration, missed int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.beatInterval == 0 || interval < l.beatInterval {
		l.beatInterval = interval // a session may have begun under either: the shorter one promises less
	}
	l.missedLimit = missed
}

// addSession notes a session whose start was sent at a time.
func (l *ledger) addSession(e wire.Entry, tag string, sent time.Duration) *session {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &session{acknowledgedAt: sent, entry: e}
	key := sessionKey{e.Code, e.StartedAt}
	l.sessions[key] = s
	if l.sessionsByTag[tag] == nil {
		l.sessionsByTag[tag] = map[sessionKey]*session{}
	}
	l.sessionsByTag[tag][key] = s
	return s
}

// updateSession changes a session. A nil one is none.
func (l *ledger) updateSession(s *session, how func(*session)) {
	if s == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	how(s)
}

// judgeDeparture judges that a viewer saw a session leave. It returns what is wrong with
// that, or "".
func (l *ledger) judgeDeparture(code string, startedAt int64, now time.Duration) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.sessions[sessionKey{code, startedAt}]
	switch {
	case s == nil:
		l.unjudgedDepartures++ // somebody else's, or its start is not answered yet
		return ""
	case s.endPermittedAt != 0 && s.endPermittedAt <= now:
		return ""
	case now-s.acknowledgedAt >= time.Duration(l.missedLimit)*l.beatInterval:
		return ""
	}
	return fmt.Sprintf("%s was seen to leave %v after a beat that was acknowledged", code, (now - s.acknowledgedAt).Round(time.Millisecond))
}

// permitEnd notes that a session may be over from now on, if it was not so before:
// who judges a departure may have seen it earlier than this.
func (l *ledger) permitEnd(s *session, now time.Duration) {
	l.updateSession(s, func(s *session) {
		if s.endPermittedAt == 0 {
			s.endPermittedAt = now
		}
	})
}

// isSettled reports whether every update has been answered.
func (l *ledger) isSettled() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.sessions {
		if s.openUpdates > 0 && s.endPermittedAt == 0 {
			return false
		}
	}
	return true
}

// auditList compares a fresh list of one tag with what was promised, and calls back
// with whatever differs.
func (l *ledger) auditList(fresh *list, tag string, differs func(what string)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for code, e := range fresh.entries {
		s := l.sessions[sessionKey{code, e.StartedAt}]
		switch {
		case s == nil && strings.Contains(e.Anchor, l.runID):
			differs(fmt.Sprintf("%s is listed with a session that no anchor was told of", code))
		case s != nil && s.isEnded:
			differs(code + " is listed though its stop was acknowledged")
		case s != nil && s.endPermittedAt == 0 && !s.isPromised(e):
			differs(fmt.Sprintf("%s is listed as %s, its anchor was told %s", code, wire.AppendEntry(nil, e), wire.AppendEntry(nil, &s.entry)))
		}
	}
	if fresh.isTruncated() {
		return
	}
	for key, s := range l.sessionsByTag[tag] {
		if s.endPermittedAt == 0 && !s.hasCrashed && fresh.entries[key.code] == nil {
			differs(key.code + " is live and not listed")
		}
	}
}

// isPromised says whether an entry is what its anchor was told, or what an update
// may have made of that whose answer was lost.
func (s *session) isPromised(e *wire.Entry) bool {
	ok := isSameMetadata(&s.entry, e)
	for _, extra := range s.uncertainExtras {
		maybe := s.entry
		maybe.Extra = extra
		ok = ok || isSameMetadata(&maybe, e)
	}
	return ok
}

// isSameMetadata compares what an anchor decides of an entry.
func isSameMetadata(a, b *wire.Entry) bool {
	return a.Anchor == b.Anchor && a.Title == b.Title && a.Cover == b.Cover &&
		strings.Join(a.Tags, "\n") == strings.Join(b.Tags, "\n") && bytes.Equal(a.Extra, b.Extra)
}
