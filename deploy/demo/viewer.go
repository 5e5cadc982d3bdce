package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"onair/hub/wire"
)

// listChange is one change of a stream in a viewer's list.
type listChange struct {
	at    time.Time
	code  string
	state string // "starting", "live", "away: media" …, or removed
}

// removed is the state of a stream that is not in the list.
const removed = "removed"

// viewer is a viewer's socket, with its list and all changes.
type viewer struct {
	*socket
	printf func(format string, args ...any)

	mu      sync.Mutex // guards all below
	list    wire.ClientView
	changes []listChange
	changed chan struct{} // closed and replaced with each change
}

// startViewer opens a viewer's socket without a token, and subscribes to the list.
func (env *environment) startViewer(ctx context.Context) (v *viewer, err error) {
	v = &viewer{printf: env.printf, changed: make(chan struct{})}
	if v.socket, err = env.dialSocket(ctx, "/v1/viewer", "", v.handleMessage); err != nil {
		return nil, err
	}
	return v, v.send(&wire.Subscribe{ID: wire.IntID(1), Play: []string{"rtmp", "hls"}})
}

// handleMessage applies a message to the list, and records the changes of states.
func (v *viewer) handleMessage(m wire.Message) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch m := m.(type) {
	case *wire.Error:
		v.printf("viewer    gets the error %s", m)
	case *wire.Snapshot:
		v.list.Apply(m)
		for _, e := range m.Streams {
			v.recordChange(e.Code)
		}
	case *wire.Diff:
		before := map[string]wire.Entry{}
		for _, e := range v.list.Sorted("") {
			before[e.Code] = e
		}
		if v.list.Apply(m) {
			v.printf("viewer    cannot apply a diff")
		}
		for _, e := range m.Put {
			v.recordChange(e.Code)
		}
		for _, p := range m.Set {
			if after, _ := v.list.Entry(p.Code); displayedState(after) != displayedState(before[p.Code]) {
				v.recordChange(p.Code)
			}
		}
		for _, code := range m.Del {
			v.recordChange(code)
		}
	}
}

// recordChange records and prints a stream's state. The caller holds mu.
func (v *viewer) recordChange(code string) {
	c := listChange{at: time.Now(), code: code, state: removed}
	if e, listed := v.list.Entry(code); listed {
		c.state = displayedState(e)
		v.printf("viewer    %s by %s %q is %s", code, e.Anchor, e.Title, c.state)
	} else {
		v.printf("viewer    %s has left the list", code)
	}
	v.changes = append(v.changes, c)
	close(v.changed)
	v.changed = make(chan struct{})
}

// displayedState returns an entry's state with its reason.
func displayedState(e wire.Entry) string {
	if e.Away != "" {
		return e.State + ": " + e.Away
	}
	return e.State
}

// position is the number of changes so far.
func (v *viewer) position() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.changes)
}

// changesSince returns a stream's changes after a position.
func (v *viewer) changesSince(position int, code string) (changes []listChange) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, c := range v.changes[position:] {
		if c.code == code {
			changes = append(changes, c)
		}
	}
	return changes
}

// entry returns a stream's current entry.
func (v *viewer) entry(code string) (e wire.Entry, listed bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.list.Entry(code)
}

// awaitState waits until a stream has changed to a state after a position.
func (v *viewer) awaitState(ctx context.Context, position int, code, state string) (listChange, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, stepTimeout, errStepTimeout)
	defer cancel()
	for {
		v.mu.Lock()
		changed := v.changed
		for _, c := range v.changes[position:] {
			if c.code == code && c.state == state {
				v.mu.Unlock()
				return c, nil
			}
		}
		v.mu.Unlock()
		select {
		case <-changed:
		case <-v.ended:
			return listChange{}, fmt.Errorf("the viewer's socket ended: %w", v.err)
		case <-ctx.Done():
			return listChange{}, fmt.Errorf("%s is not %q: %w", code, state, context.Cause(ctx))
		}
	}
}

// playURL returns an entry's play URL, "" for none.
func playURL(e wire.Entry, protocol string) string {
	for _, u := range e.Play {
		if u.Protocol == protocol {
			return u.URL
		}
	}
	return ""
}
