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
	mainList = "live" // what all viewers see
	fillList = "fill" // what fills the buffers of those that do not read

	frameSize = 304       // of a diff: 300 bytes of text, and their header
	fillSize  = 128 << 10 // of a title that no socket takes at once
	streams   = 10        // in mainList
	epoch     = 1763830000000
)

// list is the log of one hub: the title of one stream changes, always to one
// of the same length, so that diffs are of one size.
type list struct {
	hub        *hub.Hub
	star, fill *presence.Stream
	n          uint64 // entries
	title      int    // bytes
}

func newList() *list {
	l := &list{
		hub: hub.New(hub.Options{
			Lists: []string{mainList, fillList},
			Tick:  time.Millisecond, // each change is a diff
			IdleInterval: time.Hour,        // and nothing else is
		}),
		title: 100,
	}
	var all []*presence.Stream
	for i := range streams {
		all = append(all, stream(mainList, i))
	}
	l.star, l.fill = all[0], stream(fillList, streams)
	l.hub.Load(slices.Values(append(all, l.fill)), l.position(), epoch)
	return l
}

func stream(list string, i int) *presence.Stream {
	name := fmt.Sprintf("anchor%04d", i)
	return &presence.Stream{
		Session: presence.Session{byte(i), 1}, Code: "8888_" + name, Anchor: name, List: list,
		Details: presence.Details{Title: "The title of " + name}, StartedAt: epoch, State: presence.Live, Listed: true, Shown: true,
	}
}

// position is the same number of bytes for all entries there will ever be.
func (l *list) position() presence.Position {
	return presence.Position{ID: presence.ID{MS: epoch + l.n}, Hash: uint32(l.n) * 2654435761}
}

// diff has the hub send a diff to all viewers.
func (l *list) diff() { l.star = l.retitle(l.star, l.title) }

// burst has the hub send a diff that is more than a socket's buffers hold, to
// those that see fillList.
func (l *list) burst() { l.fill = l.retitle(l.fill, fillSize) }

func (l *list) retitle(st *presence.Stream, size int) *presence.Stream {
	l.n++
	next := *st
	next.Title = strings.Repeat(string(rune('a'+l.n%26)), size)
	l.hub.Apply(l.position(), epoch+int64(l.n), []presence.Change{{Old: st, New: &next}}, time.Time{})
	return &next
}

// subscription is a viewer's request.
func subscription(list string) []byte {
	return fmt.Appendf(nil, `{"type":"subscribe","id":1,"list":%q}`, list)
}
