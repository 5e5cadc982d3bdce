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

// ledger records what the server has promised to anchors: until when each session
// stays listed, and with which entry. Anchors write it, viewers are judged by it. Its
// times are those of the run. It is safe for concurrent use.
type ledger struct {
	runID string // the beginning of all user ids of the run

	mu                 sync.Mutex // guards all below
	beatInterval       time.Duration
	missedLimit        int
	sessions           map[sessionKey]*session
	sessionsByTag      map[string]map[sessionKey]*session
	unjudgedDepartures int
	nodeNames          map[string]bool // from the welcomes
}

// sessionKey identifies a session by what viewers see of it.
type sessionKey struct {
	code      string
	startedAt int64
}

type session struct {
	acknowledgedAt  time.Duration // when the latest acknowledged message was sent
	endPermittedAt  time.Duration // from when on the session may be over; 0: never
	isEnded         bool          // its end was acknowledged
	hasCrashed      bool
	entry           wire.Entry        // as the server last sent it to the anchor
	openUpdates     int               // updates without an answer yet
	uncertainExtras []json.RawMessage // of later updates whose answer is lost
}

func newLedger(runID string) *ledger {
	return &ledger{runID: runID, nodeNames: map[string]bool{}, sessions: map[sessionKey]*session{}, sessionsByTag: map[string]map[sessionKey]*session{}}
}

// recordLeaseParams keeps the shortest interval: a session may have begun under any.
func (l *ledger) recordLeaseParams(beatInterval time.Duration, missedLimit int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.beatInterval == 0 || beatInterval < l.beatInterval {
		l.beatInterval = beatInterval
	}
	l.missedLimit = missedLimit
}

// recordNodeName notes the name of a node that admitted a client.
func (l *ledger) recordNodeName(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nodeNames[name] = true
}

// hasManyNodeNames reports whether clients have come to several nodes.
func (l *ledger) hasManyNodeNames() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.nodeNames) > 1
}

// maxAnchorBackoff bounds an anchor's delays: it needs several attempts before its lease
// expires.
func (l *ledger) maxAnchorBackoff() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.beatInterval == 0 {
		return backoffCap
	}
	return min(backoffCap, l.beatInterval*time.Duration(l.missedLimit)/6)
}

// addSession adds a session whose start was sent at sentAt.
func (l *ledger) addSession(e wire.Entry, tag string, sentAt time.Duration) *session {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &session{acknowledgedAt: sentAt, entry: e}
	key := sessionKey{e.Code, e.StartedAt}
	l.sessions[key] = s
	if l.sessionsByTag[tag] == nil {
		l.sessionsByTag[tag] = map[sessionKey]*session{}
	}
	l.sessionsByTag[tag][key] = s
	return s
}

// updateSession calls update under the lock, unless sessionOrNil is nil.
func (l *ledger) updateSession(sessionOrNil *session, update func(*session)) {
	if sessionOrNil == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	update(sessionOrNil)
}

// judgeDeparture judges that a session left a list at now. It returns "" if it was
// permitted to.
func (l *ledger) judgeDeparture(code string, startedAt int64, now time.Duration) (violation string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.sessions[sessionKey{code, startedAt}]
	switch {
	case s == nil:
		l.unjudgedDepartures++ // not of this run, or its start is not answered yet
		return ""
	case s.endPermittedAt != 0 && s.endPermittedAt <= now:
		return ""
	case now-s.acknowledgedAt >= time.Duration(l.missedLimit)*l.beatInterval:
		return ""
	}
	return fmt.Sprintf("%s left %v after an acknowledged beat", code, (now - s.acknowledgedAt).Round(time.Millisecond))
}

// permitEnd permits a session to be over from now on. An earlier permission stays: a
// departure may have been seen before now.
func (l *ledger) permitEnd(sessionOrNil *session, now time.Duration) {
	l.updateSession(sessionOrNil, func(s *session) {
		if s.endPermittedAt == 0 {
			s.endPermittedAt = now
		}
	})
}

// areUpdatesAnswered reports whether every update of a live session has been answered.
func (l *ledger) areUpdatesAnswered() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.sessions {
		if s.openUpdates > 0 && s.endPermittedAt == 0 {
			return false
		}
	}
	return true
}

// auditList compares a fresh list of one tag with what was promised.
func (l *ledger) auditList(fresh *list, tag string) (brokenPromises []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	add := func(format string, args ...any) {
		brokenPromises = append(brokenPromises, fmt.Sprintf(format, args...))
	}
	for code, e := range fresh.entries {
		s := l.sessions[sessionKey{code, e.StartedAt}]
		switch {
		case s == nil && strings.Contains(e.Anchor, l.runID):
			add("%s is listed with a session that no anchor started", code)
		case s != nil && s.isEnded:
			add("%s is listed although its stop was acknowledged", code)
		case s != nil && s.endPermittedAt == 0 && !s.isPromised(e):
			add("%s is listed as %s, its anchor was promised %s", code, wire.AppendEntry(nil, e), wire.AppendEntry(nil, &s.entry))
		}
	}
	if fresh.isTruncated() {
		return brokenPromises
	}
	for key, s := range l.sessionsByTag[tag] {
		if s.endPermittedAt == 0 && !s.hasCrashed && fresh.entries[key.code] == nil {
			add("%s is live and not listed", key.code)
		}
	}
	return brokenPromises
}

// isPromised reports whether an entry is as promised to its anchor, or as an update with
// a lost answer may have left it.
func (s *session) isPromised(e *wire.Entry) bool {
	if isSameMetadata(&s.entry, e) {
		return true
	}
	for _, extra := range s.uncertainExtras {
		possible := s.entry
		possible.Extra = extra
		if isSameMetadata(&possible, e) {
			return true
		}
	}
	return false
}

// isSameMetadata compares the members of entries that anchors set.
func isSameMetadata(a, b *wire.Entry) bool {
	return a.Anchor == b.Anchor && a.Title == b.Title && a.Cover == b.Cover &&
		strings.Join(a.Tags, "\n") == strings.Join(b.Tags, "\n") && bytes.Equal(a.Extra, b.Extra)
}
