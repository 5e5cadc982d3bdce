package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"onair/hub/wire"
)

// list is one view at one position. It is immutable but for its cache of steps.
//
// The cache makes viewers cheap without weakening any check: a viewer takes a step
// only from this list, position included, and with a frame equal to the byte to one
// that was decoded, checked against this position and applied to these entries. So
// each frame is checked against the position and the list of each viewer.
type list struct {
	view    *view
	pos     string // empty before the first answer
	total   int
	entries map[string]*wire.Entry
	steps   []step
}

// step is a frame and the list that it led to.
type step struct {
	frame      []byte
	isDeflated bool
	to         *list
	commands   []command // starts and updates in the diff
	isDiff     bool      // not a snapshot
	isAnswer   bool      // to a request
}

// maxSteps is how many different frames a list caches: thousands of viewers receive the
// same few, only those to slow viewers differ.
const maxSteps = 8

// findStep returns the cached step of a frame, or nil.
func (l *list) findStep(frame []byte, isDeflated bool) *step {
	for i := range l.steps {
		if s := &l.steps[i]; s.isDeflated == isDeflated && bytes.Equal(s.frame, frame) {
			return s
		}
	}
	return nil
}

// cacheStep caches a step instead of the oldest one.
func (l *list) cacheStep(s step) *step {
	if len(l.steps) == maxSteps {
		copy(l.steps, l.steps[1:])
		l.steps = l.steps[:maxSteps-1]
	}
	l.steps = append(l.steps, s)
	return &l.steps[len(l.steps)-1]
}

// isTruncated reports whether more entries match the view than it may show. Then an
// entry may leave it although it is live.
func (l *list) isTruncated() bool { return l.view.watchedCode == "" && l.total > len(l.entries) }

// view is one query, with the latest lists of its viewers.
type view struct {
	query       wire.Subscribe
	watchedCode string // of the stream, where this is the view of a watch
	limit       int    // 0: none
	id          string // as the server names it; empty before the first answer

	emptyList       *list            // without a position
	listsByPosition map[string]*list // by position
	recent          []*list          // a ring of the lists in listsByPosition
	oldestIndex     int
}

// newView returns a view that keeps the lists of the latest maxLists positions.
func newView(maxLists int) *view {
	v := &view{listsByPosition: map[string]*list{}, recent: make([]*list, maxLists)}
	v.emptyList = &list{view: v}
	return v
}

// findOrAddList returns the list that all viewers at l's position share: l itself, if it is
// the first one there. Where l differs from the shared list, it returns l and how.
func (v *view) findOrAddList(l *list) (shared *list, difference string) {
	if shared := v.listsByPosition[l.pos]; shared != nil {
		if difference := shared.difference(l); difference != "" {
			return l, fmt.Sprintf("%s at %s: %s", v.id, l.pos, difference)
		}
		return shared, ""
	}
	if old := v.recent[v.oldestIndex]; old != nil {
		old.steps = nil // a viewer that is far behind must not hold all later lists
		delete(v.listsByPosition, old.pos)
	}
	v.recent[v.oldestIndex] = l
	v.oldestIndex = (v.oldestIndex + 1) % len(v.recent)
	v.listsByPosition[l.pos] = l
	return l, ""
}

// difference describes how two lists differ; "" if they do not.
func (l *list) difference(other *list) (difference string) {
	if l == other {
		return ""
	}
	if l.total != other.total {
		return fmt.Sprintf("totals %d and %d", l.total, other.total)
	}
	return l.entryDifference(other)
}

// entryDifference describes how the entries of two lists differ, at any positions.
func (l *list) entryDifference(other *list) (difference string) {
	for code, e := range l.entries {
		o := other.entries[code]
		if o == nil {
			return code + " is in one of two lists"
		}
		if e != o {
			if a, b := wire.AppendEntry(nil, e), wire.AppendEntry(nil, o); !bytes.Equal(a, b) {
				return fmt.Sprintf("%s and %s", a, b)
			}
		}
	}
	if len(l.entries) != len(other.entries) {
		return fmt.Sprintf("%d and %d entries", len(l.entries), len(other.entries))
	}
	return ""
}

// chainError is returned when a diff does not continue at its viewer's position.
type chainError struct{ view, prev, pos string }

// Error implements error.
func (e *chainError) Error() string {
	return fmt.Sprintf("%s: a diff from %s to a viewer at %q", e.view, e.prev, e.pos)
}

// applyMessage returns the list that a message leads to. With an error the list may be nil:
// then the message cannot be applied, and else its total is wrong.
func (l *list) applyMessage(m wire.Message) (next *list, violation error) {
	to := &list{view: l.view}
	switch m := m.(type) {
	case *wire.Snapshot:
		to.pos, to.total = m.Pos, m.Total
		to.entries = make(map[string]*wire.Entry, len(m.Streams))
		for i := range m.Streams {
			to.entries[m.Streams[i].Code] = &m.Streams[i]
		}
		if len(to.entries) != len(m.Streams) {
			return nil, fmt.Errorf("%s: a snapshot has a code twice", m.View)
		}
	case *wire.Watching:
		to.pos, to.total = m.Pos, 1
		to.entries = map[string]*wire.Entry{m.Entry.Code: &m.Entry}
	case *wire.Diff:
		if m.Prev != l.pos || l.pos == "" {
			return nil, &chainError{m.View, m.Prev, l.pos}
		}
		to.pos, to.total, to.entries = m.Pos, l.total, l.entries
		if err := to.applyEntryChanges(m); err != nil {
			return nil, err
		}
	}
	return to, to.validateTotal()
}

// applyEntryChanges applies a diff to a list that still shares the entries of another.
func (l *list) applyEntryChanges(m *wire.Diff) error {
	if len(m.Put)+len(m.Set)+len(m.Del) > 0 {
		l.entries = maps.Clone(l.entries)
		if l.entries == nil {
			l.entries = map[string]*wire.Entry{}
		}
	}
	for i := range m.Put {
		l.entries[m.Put[i].Code] = &m.Put[i]
	}
	for _, p := range m.Set {
		old := l.entries[p.Code]
		if old == nil {
			continue // the protocol permits it
		}
		e := *old
		if err := e.ApplyPatch(p); err != nil {
			return err
		}
		l.entries[p.Code] = &e
	}
	for _, code := range m.Del {
		delete(l.entries, code)
	}
	if m.HasTotal {
		l.total = m.Total
	} else if l.view.watchedCode != "" {
		l.total = len(l.entries)
	}
	return nil
}

// validateTotal compares the number of entries with the total.
func (l *list) validateTotal() error {
	want := l.total
	if l.view.limit > 0 {
		want = min(want, l.view.limit)
	}
	if l.view.watchedCode == "" && len(l.entries) != want {
		return fmt.Errorf("%s at %s: %d entries of %d, with a limit of %d", l.view.id, l.pos, len(l.entries), l.total, l.view.limit)
	}
	return nil
}

// commandStamp is the extra of a simulated anchor's stream.
type commandStamp struct {
	RunID   string `json:"load"`
	SentAt  int64  `json:"at"`             // the due time, in microseconds of the run
	Node    int    `json:"node,omitempty"` // the anchor's
	IsStart bool   `json:"start,omitempty"`
}

func (s commandStamp) asExtra() json.RawMessage {
	data, _ := json.Marshal(s) // cannot fail
	return data
}

// commandOf returns the command that an entry shows, if it is of this run.
func commandOf(e *wire.Entry, runID string) (c command, isOfRun bool) {
	if e == nil || !strings.Contains(string(e.Extra), runID) {
		return c, false
	}
	var s commandStamp
	if json.Unmarshal(e.Extra, &s) != nil || s.RunID != runID {
		return c, false
	}
	return command{time.Duration(s.SentAt) * time.Microsecond, s.Node, s.IsStart}, true
}

// newCommands returns the starts and updates that a diff, which led to another list, has
// shown. A whole entry counts only where the list is not truncated: else it may be an
// old one that has entered the window.
func (l *list) newCommands(to *list, m *wire.Diff, runID string) (commands []command) {
	add := func(code string) {
		c, ok := commandOf(to.entries[code], runID)
		if before, had := commandOf(l.entries[code], runID); ok && (!had || before.dueAt < c.dueAt) {
			commands = append(commands, c)
		}
	}
	for _, p := range m.Set {
		if _, changed := p.Members["extra"]; changed {
			add(p.Code)
		}
	}
	for i := range m.Put {
		if !to.isTruncated() {
			add(m.Put[i].Code)
		}
	}
	return commands
}

// forEachDeparture calls onDeparture for each session that the next list lacks.
func (l *list) forEachDeparture(to *list, onDeparture func(code string, startedAt int64)) {
	if to.isTruncated() || l.isTruncated() {
		return // it may have left the window only
	}
	for code, e := range l.entries {
		if now := to.entries[code]; now != e && (now == nil || now.StartedAt != e.StartedAt) {
			onDeparture(code, e.StartedAt)
		}
	}
}
