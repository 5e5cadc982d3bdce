package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"onair/hub/wire"
)

// sight is one change that a viewer saw: a stream's new state, or its end.
type sight struct {
	at    time.Time
	code  string
	state string     // "starting", "live", "away: media" …; "gone" once it left the list
	entry wire.Entry // as it is after the change
}

const gone = "gone"

// viewer is somebody who looks at the list, and remembers what changed.
type viewer struct {
	*line
	say func(format string, args ...any)

	mu    sync.Mutex
	list  wire.ClientView
	seen  []sight
	grown chan struct{} // closed when something changes
}

// look opens a viewer socket without a token and subscribes to the list.
func (st *stage) look(ctx context.Context) (v *viewer, err error) {
	v = &viewer{say: st.say, grown: make(chan struct{})}
	if v.line, err = st.dial(ctx, "/v1/viewer", "", v.hear); err != nil {
		return nil, err
	}
	return v, v.send(&wire.Subscribe{ID: wire.IntID(1), Play: []string{"rtmp", "hls"}})
}

// hear applies a message to the list and notes what it changed.
func (v *viewer) hear(m wire.Message) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch m := m.(type) {
	case *wire.Error:
		v.say("viewer    the server says %s", m)
	case *wire.Snapshot:
		v.list.Apply(m)
		for _, e := range m.Streams {
			v.note(e.Code)
		}
	case *wire.Diff:
		before := map[string]wire.Entry{}
		for _, e := range v.list.Sorted("") {
			before[e.Code] = e
		}
		if v.list.Apply(m) {
			v.say("viewer    lost its place in the list")
		}
		for _, e := range m.Put {
			v.note(e.Code)
		}
		for _, p := range m.Set {
			if now, _ := v.list.Entry(p.Code); mood(now) != mood(before[p.Code]) {
				v.note(p.Code)
			}
		}
		for _, code := range m.Del {
			v.note(code)
		}
	}
}

// note remembers how the list shows a stream now, and prints it.
func (v *viewer) note(code string) {
	e, there := v.list.Entry(code)
	s := sight{at: time.Now(), code: code, state: gone, entry: e}
	if there {
		s.state = mood(e)
		v.say("viewer    %s by %s %q is %s", code, e.Anchor, e.Title, s.state)
	} else {
		v.say("viewer    %s has left the list", code)
	}
	v.seen = append(v.seen, s)
	close(v.grown)
	v.grown = make(chan struct{})
}

// mood is an entry's state with its reason.
func mood(e wire.Entry) string {
	if e.Away != "" {
		return e.State + ": " + e.Away
	}
	return e.State
}

// mark is a moment in what a viewer saw.
type mark int

func (v *viewer) now() mark {
	v.mu.Lock()
	defer v.mu.Unlock()
	return mark(len(v.seen))
}

// since is what the viewer saw of one stream after a moment.
func (v *viewer) since(m mark, code string) (out []sight) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, s := range v.seen[m:] {
		if s.code == code {
			out = append(out, s)
		}
	}
	return out
}

// entry is how the list shows a stream now.
func (v *viewer) entry(code string) (wire.Entry, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.list.Entry(code)
}

// sees waits until, after a moment, a stream has come to a state.
func (v *viewer) sees(ctx context.Context, from mark, code, state string) (sight, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, longestStep, errUnseen)
	defer cancel()
	for {
		v.mu.Lock()
		grown := v.grown
		for _, s := range v.seen[from:] {
			if s.code == code && s.state == state {
				v.mu.Unlock()
				return s, nil
			}
		}
		v.mu.Unlock()
		select {
		case <-grown:
		case <-v.done:
			return sight{}, fmt.Errorf("the viewer's socket ended: %w", v.err)
		case <-ctx.Done():
			return sight{}, fmt.Errorf("%s is not %q: %w", code, state, context.Cause(ctx))
		}
	}
}

// playURL is where the list says that a stream plays.
func playURL(e wire.Entry, protocol string) string {
	for _, u := range e.Play {
		if u.Protocol == protocol {
			return u.URL
		}
	}
	return ""
}
