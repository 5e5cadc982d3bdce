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

// list is one view at one position. It is immutable but for what it remembers
// of the frames that led on from it.
//
// That memory is what makes viewers cheap, and it gives nothing away: a step is
// taken only by a viewer whose own list is this one, position included, and
// whose frame is the same to the byte as one that was decoded, checked against
// this position and applied to these entries. So each viewer's chain of
// positions and each viewer's list are checked, with every frame.
type list struct {
	view    *view
	pos     string // "": before the first answer
	total   int
	entries map[string]*wire.Entry
	steps   []step
}

// step is a frame that was applied to a list.
type step struct {
	frame    []byte
	deflated bool
	to       *list
	commands []command // of the starts and updates in it
	isDiff   bool      // and not a snapshot
	isAnswer bool      // to a request
}

// maxSteps is how many different frames a list remembers: those to slow viewers
// differ, but thousands get the same few.
const maxSteps = 8

// findStep returns the step that a frame takes, or nil if it is new here.
func (l *list) findStep(frame []byte, deflated bool) *step {
	for i := range l.steps {
		if s := &l.steps[i]; s.deflated == deflated && bytes.Equal(s.frame, frame) {
			return s
		}
	}
	return nil
}

// addStep remembers a step.
func (l *list) addStep(s step) *step {
	if len(l.steps) == maxSteps {
		copy(l.steps, l.steps[1:])
		l.steps = l.steps[:maxSteps-1]
	}
	l.steps = append(l.steps, s)
	return &l.steps[len(l.steps)-1]
}

// isTruncated reports that more entries match the view than it may show, so that one
// may leave it though it is still live.
func (l *list) isTruncated() bool { return l.view.watchedCode == "" && l.total > len(l.entries) }

// view is one query, with the lists at the positions that viewers were at last.
type view struct {
	query       wire.Subscribe
	watchedCode string // of the stream, where this is the view of a watch
	limit       int    // 0: none
	id          string // the server's name for it, "" before the first answer

	emptyList       *list            // at no position
	listsByPosition map[string]*list // by position
	recent          []*list          // in the order of their coming, from oldest on
	oldestIndex     int
}

// newView remembers the lists of so many positions.
func newView(remember int) *view {
	v := &view{listsByPosition: map[string]*list{}, recent: make([]*list, remember)}
	v.emptyList = &list{view: v}
	return v
}

// divergenceError is a list that another viewer at the same position has otherwise.
type divergenceError struct{ difference string }

func (e *divergenceError) Error() string { return e.difference }

// canonicalList returns the list that stands for all equal lists at one position. One
// that is not equal is an error, and stands for itself.
func (v *view) canonicalList(l *list) (*list, error) {
	if was := v.listsByPosition[l.pos]; was != nil {
		if d := was.differenceTo(l); d != "" {
			return l, &divergenceError{fmt.Sprintf("%s at %s: %s", v.id, l.pos, d)}
		}
		return was, nil
	}
	if old := v.recent[v.oldestIndex]; old != nil {
		old.steps = nil // lists must not hold all that followed them
		delete(v.listsByPosition, old.pos)
	}
	v.recent[v.oldestIndex] = l
	v.oldestIndex = (v.oldestIndex + 1) % len(v.recent)
	v.listsByPosition[l.pos] = l
	return l, nil
}

// differenceTo says how two lists differ, "" if they do not.
func (l *list) differenceTo(other *list) string {
	if l == other {
		return ""
	}
	if l.total != other.total {
		return fmt.Sprintf("totals %d and %d", l.total, other.total)
	}
	return l.entryDifferenceTo(other)
}

// entryDifferenceTo says how the entries of two lists differ, wherever they are.
func (l *list) entryDifferenceTo(other *list) string {
	for code, e := range l.entries {
		o := other.entries[code]
		if o == nil {
			return code + " is in one list alone"
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

// chainError is a diff that does not continue where its viewer is.
type chainError struct{ view, prev, at string }

func (e *chainError) Error() string {
	return fmt.Sprintf("%s: a diff from %s to a viewer at %q", e.view, e.prev, e.at)
}

// apply makes the list that a message leads to. It does not remember it.
func (l *list) apply(m wire.Message) (*list, error) {
	to := &list{view: l.view}
	switch m := m.(type) {
	case *wire.Snapshot:
		to.pos, to.total = m.Pos, m.Total
		to.entries = make(map[string]*wire.Entry, len(m.Streams))
		for i := range m.Streams {
			to.entries[m.Streams[i].Code] = &m.Streams[i]
		}
		if len(to.entries) != len(m.Streams) {
			return nil, fmt.Errorf("%s: a code is in the snapshot twice", m.View)
		}
	case *wire.Watching:
		to.pos, to.total = m.Pos, 1
		to.entries = map[string]*wire.Entry{m.Entry.Code: &m.Entry}
	case *wire.Diff:
		if m.Prev != l.pos || l.pos == "" {
			return nil, &chainError{m.View, m.Prev, l.pos}
		}
		to.pos, to.total, to.entries = m.Pos, l.total, l.entries
		if err := to.applyDiff(m); err != nil {
			return nil, err
		}
	}
	return to, to.checkTotal()
}

// applyDiff applies a diff to a list whose entries are still those of another.
func (l *list) applyDiff(m *wire.Diff) error {
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
		was := l.entries[p.Code]
		if was == nil {
			continue // the protocol calls it harmless
		}
		e := *was
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

// checkTotal checks the number of entries against the total.
func (l *list) checkTotal() error {
	want := l.total
	if l.view.limit > 0 {
		want = min(want, l.view.limit)
	}
	if l.view.watchedCode == "" && len(l.entries) != want {
		return fmt.Errorf("%s at %s: %d entries of %d, with a limit of %d", l.view.id, l.pos, len(l.entries), l.total, l.view.limit)
	}
	return nil
}

// commandStamp is what a simulated anchor writes into the extra of its stream.
type commandStamp struct {
	RunID   string `json:"load"`           // the run
	SentAt  int64  `json:"at"`             // when it was to be sent, in microseconds of the run
	Node    int    `json:"node,omitempty"` // where to
	IsStart bool   `json:"start,omitempty"`
}

func (s commandStamp) asExtra() json.RawMessage {
	data, _ := json.Marshal(s) // two plain members
	return data
}

func commandOf(e *wire.Entry, run string) (m command, ok bool) {
	if e == nil || !strings.Contains(string(e.Extra), run) {
		return m, false
	}
	var s commandStamp
	if json.Unmarshal(e.Extra, &s) != nil || s.RunID != run {
		return m, false
	}
	return command{time.Duration(s.SentAt) * time.Microsecond, s.Node, s.IsStart}, true
}

// commandsIn are those of the starts and updates that a diff brought to a list. A whole entry
// counts only where every match is shown: else it may be old, and have come
// into the window just now.
func (l *list) commandsIn(to *list, m *wire.Diff, run string) (out []command) {
	note := func(code string) {
		now, ok := commandOf(to.entries[code], run)
		if before, had := commandOf(l.entries[code], run); ok && (!had || before.dueAt < now.dueAt) {
			out = append(out, now)
		}
	}
	for _, p := range m.Set {
		if _, changed := p.Members["extra"]; changed {
			note(p.Code)
		}
	}
	for i := range m.Put {
		if !to.isTruncated() {
			note(m.Put[i].Code)
		}
	}
	return out
}

// eachDeparture calls back for each session that a list has and the next has not.
func (l *list) eachDeparture(to *list, gone func(code string, startedAt int64)) {
	if to.isTruncated() || l.isTruncated() {
		return // it may just have left the window
	}
	for code, e := range l.entries {
		if now := to.entries[code]; now != e && (now == nil || now.StartedAt != e.StartedAt) {
			gone(code, e.StartedAt)
		}
	}
}
