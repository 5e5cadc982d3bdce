package node

import (
	"sync/atomic"

	"github.com/rs/zerolog"

	"onair/hub"
	"onair/presence"
	presencenode "onair/presence/node"
	"onair/server/sockets"
)

// follower passes what the log does to the list on: to views, to the sockets
// concerned, and to the log file. The goroutine that applies entries calls it.
type follower struct {
	// Static after construction.
	hub         *hub.Hub
	attachments *sockets.Attachments
	log         zerolog.Logger
	revision    int64 // of this node's settings

	rebuilds atomic.Uint64
	isLoaded bool          // the hub has a list; owned by the goroutine that applies
	settled  chan struct{} // closed once the log has this node's settings, or newer ones
}

func newFollower(h *hub.Hub, revision int64, log zerolog.Logger) *follower {
	return &follower{hub: h, attachments: sockets.NewAttachments(), log: log, revision: revision, settled: make(chan struct{})}
}

// apply passes on the changes of one entry.
func (f *follower) apply(a presencenode.Applied) {
	if !a.Frozen {
		f.hub.Apply(a.Position, a.Time, a.Changes, a.ReceivedAt)
	}
	for i := range a.Changes {
		c := &a.Changes[i]
		f.attachments.ApplyChange(c)
		if !a.Replayed {
			f.logChange(c)
		}
	}
	if a.Settings != nil {
		f.checkRevision(a.Settings.Revision)
		f.attachments.SendSettings(a.Settings.Interval)
	}
}

// rebuild takes over the whole list, when the log is read for the first time, and
// when it went on without entries that had been shown.
func (f *follower) rebuild(r *presence.Registry) {
	if f.isLoaded {
		f.hub.Rebase(r.Streams(), r.Position(), r.LogTime())
	} else {
		f.hub.Load(r.Streams(), r.Position(), r.LogTime())
		f.isLoaded = true
	}
	f.rebuilds.Add(1)
	f.attachments.DetachStale(r)
	f.checkRevision(r.Settings().Revision)
}

// checkRevision closes settled once the settings in the log are new enough.
func (f *follower) checkRevision(revision int64) {
	select {
	case <-f.settled:
	default:
		if revision >= f.revision {
			close(f.settled)
		}
	}
}

// logChange writes the one line that each change of a stream's state gets.
func (f *follower) logChange(c *presence.Change) {
	if c.Cause == presence.ByCounts || c.Cause == presence.ByUpdate {
		return
	}
	from, to, why := "none", "ended", c.Cause.String()
	st := c.New
	if c.Old != nil {
		from = c.Old.State.String()
	}
	if st != nil {
		to = st.State.String()
	} else {
		st, why = c.Old, c.Ended.Reason.String()
	}
	line := f.log.Info().Str("stream", st.Code).Str("anchor", st.Anchor).Str("from", from).Str("to", to).Str("why", why)
	if c.Ended != nil {
		line = line.Str("by", c.Ended.By).Int64("duration_ms", c.Ended.DurationMS()).
			Int64("peak_viewers", st.PeakViewers).Int64("likes", st.Likes)
	}
	line.Msg("stream")
}
