package node

import (
	"sync/atomic"

	"github.com/rs/zerolog"

	"onair/hub"
	"onair/presence"
	presencenode "onair/presence/node"
	"onair/server/sockets"
)

// logFollower passes what the log does to the list on: to views, to the sockets
// concerned, and to the log file. The goroutine that applies entries calls it.
type logFollower struct {
	// Static after construction.
	hub         *hub.Hub
	attachments *sockets.Attachments
	log         zerolog.Logger
	ownRevision int64 // of this node's settings

	rebuildCount  atomic.Uint64
	isHubLoaded   bool          // the hub has a list; owned by the goroutine that applies
	settingsInLog chan struct{} // closed once the log has this node's settings, or newer ones
}

func newLogFollower(h *hub.Hub, revision int64, log zerolog.Logger) *logFollower {
	return &logFollower{hub: h, attachments: sockets.NewAttachments(), log: log, ownRevision: revision, settingsInLog: make(chan struct{})}
}

// publishEntry passes on the changes of one entry.
func (f *logFollower) publishEntry(a presencenode.Applied) {
	if !a.Frozen {
		f.hub.Apply(a.Position, a.Time, a.Changes, a.ReceivedAt)
	}
	for i := range a.Changes {
		c := &a.Changes[i]
		f.attachments.ApplyChange(c)
		if !a.Replayed {
			f.logStateChange(c)
		}
	}
	if a.Settings != nil {
		f.compareRevision(a.Settings.Revision)
		f.attachments.SendSettings(a.Settings.Interval)
	}
}

// publishRebuild takes over the whole list, when the log is read for the first time, and
// when it went on without entries that had been shown.
func (f *logFollower) publishRebuild(r *presence.Registry) {
	if f.isHubLoaded {
		f.hub.Rebase(r.Streams(), r.Position(), r.LogTime())
	} else {
		f.hub.Load(r.Streams(), r.Position(), r.LogTime())
		f.isHubLoaded = true
	}
	f.rebuildCount.Add(1)
	f.attachments.DetachStale(r)
	f.compareRevision(r.Settings().Revision)
}

// compareRevision closes settled once the settings in the log are new enough.
func (f *logFollower) compareRevision(revision int64) {
	select {
	case <-f.settingsInLog:
	default:
		if revision >= f.ownRevision {
			close(f.settingsInLog)
		}
	}
}

// logStateChange writes the one line that each change of a stream's state gets.
func (f *logFollower) logStateChange(c *presence.Change) {
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
