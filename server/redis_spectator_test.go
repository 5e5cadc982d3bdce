package main

import (
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"onair/hub/wire"
	"onair/server/nodetest"
)

// everybody is the query of spectators.
const everybody = 500

// spectator is a viewer that keeps the list, and goes on from its position on
// whatever node it comes to.
type spectator struct {
	*crew
	home    *fleetNode
	wanders bool // it goes to another node every other second

	diffs, snapshots atomic.Int64 // with which it was led on

	mu   sync.Mutex // guards below
	list wire.ClientView
	seen map[string]wire.Entry // what the list holds
	at   string
}

func newSpectator(c *crew, home *fleetNode, wanders bool) *spectator {
	return &spectator{crew: c, home: home, wanders: wanders, seen: map[string]wire.Entry{}}
}

// shows is the list.
func (s *spectator) shows() map[string]wire.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.seen)
}

func (s *spectator) whereabouts() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at
}

func (s *spectator) run() {
	for n := s.home; s.ctx.Err() == nil; {
		c, welcome, err := s.dial(n, "/v1/viewer", "")
		if err == nil {
			s.mu.Lock()
			s.at = n.name
			s.mu.Unlock()
			s.watch(c, time.Duration(welcome.IdleMS)*time.Millisecond*5/2)
			c.Conn.CloseNow()
		}
		jitter(s.ctx, beatEvery/4)
		if n = s.another(n); err == nil && !s.wanders {
			n = s.home
		}
	}
}

// watch keeps the list until the socket ends, is silent for too long, or it is
// time to go.
func (s *spectator) watch(c *nodetest.Client, silence time.Duration) {
	var asked wire.ID
	subscribe := func() {
		asked = c.NextID()
		s.mu.Lock()
		pos := s.list.Pos()
		s.mu.Unlock()
		if err := c.Send(&wire.Subscribe{ID: asked, Limit: everybody, Pos: pos}); err != nil {
			asked = "" // the socket's end is read, too
		}
	}
	subscribe()
	var leave <-chan time.Time
	if s.wanders {
		leave = time.After(time.Second + rand.N(2*time.Second))
	}
	dead := time.NewTimer(silence)
	defer dead.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-dead.C:
			return
		case <-leave:
			return
		case r, open := <-c.Inbox:
			if !open || r.Err != nil {
				return
			}
			dead.Reset(silence)
			switch m := r.Message.(type) {
			case *wire.Drain:
				return
			case *wire.Error:
				jitter(s.ctx, beatEvery/4)
				subscribe()
			default:
				if s.take(m, asked) {
					subscribe()
				}
			}
		}
	}
}

// take applies a message, and sees who leaves.
func (s *spectator) take(m wire.Message, asked wire.ID) (resync bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, id := m.Head()
	led := id != "" && id == asked && s.list.Pos() != ""
	pos := s.list.Pos()
	resync = s.list.Apply(m)
	how := ""
	switch m.(type) {
	case *wire.Snapshot:
		how = "a snapshot"
		if led {
			s.snapshots.Add(1)
		}
	case *wire.Diff:
		how = "a diff"
		if led {
			s.diffs.Add(1)
		}
	default:
		return resync
	}
	before := s.seen
	s.seen = map[string]wire.Entry{}
	for _, e := range s.list.Sorted("") {
		s.seen[e.Code] = e
	}
	for code := range before {
		if _, still := s.seen[code]; !still && s.mayNotLeave(code) {
			s.fault("a spectator at %s was told by %s, from %s to %s, that %s has left", s.at, how, pos, s.list.Pos(), code)
		}
	}
	return resync
}

// mayNotLeave is true for performers who beat all the while.
func (c *crew) mayNotLeave(code string) bool {
	sub, _ := strings.CutPrefix(code, "8888_")
	for _, p := range c.performers() {
		if p.sub == sub {
			return !p.restless && !p.unwanted.Load()
		}
	}
	c.fault("%s is none of the crew", code)
	return false
}
