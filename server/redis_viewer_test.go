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

// viewerLimit is the window of test viewers: all streams.
const viewerLimit = 500

// testViewer is a viewer client that follows the list, and resumes by its position at any node.
type testViewer struct {
	*clientGroup
	homeNode     *fleetNode
	changesNodes bool // it changes to another node after some seconds

	diffResumes, snapshotResumes atomic.Int64 // how its resumes were answered

	mu       sync.Mutex // guards below
	list     wire.ClientView
	entries  map[string]wire.Entry // of list, by live code
	nodeName string
}

func newTestViewer(c *clientGroup, homeNode *fleetNode, changesNodes bool) *testViewer {
	return &testViewer{clientGroup: c, homeNode: homeNode, changesNodes: changesNodes, entries: map[string]wire.Entry{}}
}

// listedEntries returns the list that the viewer has.
func (s *testViewer) listedEntries() map[string]wire.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.entries)
}

func (s *testViewer) currentNodeName() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nodeName
}

func (s *testViewer) run() {
	for n := s.homeNode; s.ctx.Err() == nil; {
		c, welcome, err := s.dial(n, "/v1/viewer", "")
		if err == nil {
			s.mu.Lock()
			s.nodeName = n.name
			s.mu.Unlock()
			s.followList(c, time.Duration(welcome.IdleMS)*time.Millisecond*5/2)
			c.Conn.CloseNow()
		}
		sleepUpTo(s.ctx, heartbeatInterval/4)
		if n = s.otherNode(n); err == nil && !s.changesNodes {
			n = s.homeNode
		}
	}
}

// followList applies messages until the socket ends, is silent for too long, or the viewer
// changes nodes.
func (s *testViewer) followList(c *nodetest.Client, maxSilence time.Duration) {
	var subscribeID wire.ID
	subscribe := func() {
		subscribeID = c.NextID()
		s.mu.Lock()
		pos := s.list.Pos()
		s.mu.Unlock()
		if err := c.Send(&wire.Subscribe{ID: subscribeID, Limit: viewerLimit, Pos: pos}); err != nil {
			subscribeID = "" // the end of the socket is received, too
		}
	}
	subscribe()
	var changeNode <-chan time.Time
	if s.changesNodes {
		changeNode = time.After(time.Second + rand.N(2*time.Second))
	}
	idle := time.NewTimer(maxSilence)
	defer idle.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-idle.C:
			return
		case <-changeNode:
			return
		case r, open := <-c.Inbox:
			if !open || r.Err != nil {
				return
			}
			idle.Reset(maxSilence)
			switch m := r.Message.(type) {
			case *wire.Drain:
				return
			case *wire.Error:
				sleepUpTo(s.ctx, heartbeatInterval/4)
				subscribe()
			default:
				if s.applyMessage(m, subscribeID) {
					subscribe()
				}
			}
		}
	}
}

// applyMessage applies a message, and reports anchors that leave although they beat.
func (s *testViewer) applyMessage(m wire.Message, subscribeID wire.ID) (resync bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, id := wire.Head(m)
	isResume := id != "" && id == subscribeID && s.list.Pos() != ""
	pos := s.list.Pos()
	resync = s.list.Apply(m)
	messageName := ""
	switch m.(type) {
	case *wire.Snapshot:
		messageName = "a snapshot"
		if isResume {
			s.snapshotResumes.Add(1)
		}
	case *wire.Diff:
		messageName = "a diff"
		if isResume {
			s.diffResumes.Add(1)
		}
	default:
		return resync
	}
	entriesBefore := s.entries
	s.entries = map[string]wire.Entry{}
	for _, e := range s.list.Sorted("") {
		s.entries[e.Code] = e
	}
	for code := range entriesBefore {
		if _, isListed := s.entries[code]; !isListed && s.mustStayListed(code) {
			s.reportFault("a viewer at %s saw, by %s from %s to %s, that %s left the list", s.nodeName, messageName, pos, s.list.Pos(), code)
		}
	}
	return resync
}

// mustStayListed reports whether the anchor of a live code stays live.
func (c *clientGroup) mustStayListed(code string) bool {
	sub, _ := strings.CutPrefix(code, "8888_")
	for _, p := range c.allAnchors() {
		if p.sub == sub {
			return !p.restless && !p.mayBeBanned.Load()
		}
	}
	c.reportFault("%s is no anchor of the test", code)
	return false
}
