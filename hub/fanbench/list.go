//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"onair/hub"
	"onair/presence"
)

const (
	mainList = "live" // all viewers see it
	fillList = "fill" // its diffs fill the buffers of slow viewers

	frameSize = 304           // of a diff in bytes: 300 of text, and the frame's header
	fillSize  = 128 << 10     // of a title in bytes: more than a socket's buffers hold
	streams   = 10            // in mainList
	startTime = 1763830000000 // log time in Unix milliseconds
)

// benchList is the log of one hub. Titles change and keep their length, so all
// diffs are of one size.
type benchList struct {
	hub                     *hub.Hub
	shortStream, longStream *presence.Stream
	entries                 uint64 // of the log
	titleLen                int    // of shortStream, in bytes
}

func newBenchList() *benchList {
	l := &benchList{
		hub: hub.New(hub.Options{
			Lists:        []string{mainList, fillList},
			Tick:         time.Millisecond, // every change makes a diff
			IdleInterval: time.Hour,        // nothing else does
		}),
		titleLen: 100,
	}
	var all []*presence.Stream
	for i := range streams {
		all = append(all, newStream(mainList, i))
	}
	l.shortStream, l.longStream = all[0], newStream(fillList, streams)
	l.hub.Load(slices.Values(append(all, l.longStream)), l.lastPosition(), startTime)
	return l
}

func newStream(list string, i int) *presence.Stream {
	name := fmt.Sprintf("anchor%04d", i)
	return &presence.Stream{
		Session: presence.Session{byte(i), 1}, Code: "8888_" + name, Anchor: name, List: list,
		Details: presence.Details{Title: "The title of " + name}, StartedAt: startTime, State: presence.Live, Listed: true, Shown: true,
	}
}

// lastPosition is the position of the last entry. Its text is of the same length for
// all entries.
func (l *benchList) lastPosition() presence.Position {
	return presence.Position{ID: presence.ID{MS: startTime + l.entries}, Hash: uint32(l.entries) * 2654435761}
}

// sendMainDiff has the hub send a diff of mainList.
func (l *benchList) sendMainDiff() { l.shortStream = l.applyNewTitle(l.shortStream, l.titleLen) }

// sendLargeDiff has the hub send a large diff of fillList.
func (l *benchList) sendLargeDiff() { l.longStream = l.applyNewTitle(l.longStream, fillSize) }

func (l *benchList) applyNewTitle(st *presence.Stream, titleLen int) (changed *presence.Stream) {
	l.entries++
	next := *st
	next.Title = strings.Repeat(string(rune('a'+l.entries%26)), titleLen)
	l.hub.Apply(l.lastPosition(), startTime+int64(l.entries), []presence.Change{{Old: st, New: &next}}, time.Time{})
	return &next
}

// subscribeMessage is a viewer's subscription to a list.
func subscribeMessage(list string) []byte {
	return fmt.Appendf(nil, `{"type":"subscribe","id":1,"list":%q}`, list)
}
