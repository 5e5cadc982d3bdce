package node

import (
	"sync/atomic"

	"github.com/rs/zerolog"

	"onair/hub"
	"onair/presence"
	presencenode "onair/presence/node"
	"onair/server/sockets"
)

// logFollower publishes the changes of the list to views, to attached sockets, and to the
// logger. The goroutine that applies entries calls it.
type logFollower struct {
	// Static after construction.
	hub         *hub.Hub
	attachments *sockets.Attachments
	log         zerolog.Logger
	ownRevision int64 // of this node's settings

	rebuildCount  atomic.Uint64
	isHubLoaded   bool          // owned by the goroutine that applies entries
	settingsInLog chan struct{} // closed once the log has this node's settings, or newer ones
}

func newLogFollower(h *hub.Hub, revision int64, log zerolog.Logger) *logFollower {
	return &logFollower{hub: h, attachments: sockets.NewAttachments(), log: log, ownRevision: revision, settingsInLog: make(chan struct{})}
}

// publishEntry publishes the changes of one entry.
func (f *logFollower) publishEntry(entry presencenode.Applied) {
	if !entry.Frozen {
		f.hub.Apply(entry.Position, entry.Time, entry.Changes, entry.ReceivedAt)
	}
	for i := range entry.Changes {
		change := &entry.Changes[i]
		if mayBeUndone := entry.Frozen && change.Ended != nil && change.Ended.Reason == presence.MissedBeats; !mayBeUndone {
			f.attachments.ApplyChange(change) // DetachStale handles the others
		}
		if !entry.Replayed {
			f.logStateChange(change)
		}
	}
	if entry.Settings != nil {
		f.signalOwnSettingsInLog(entry.Settings.Revision)
		f.attachments.SendSettings(entry.Settings.Interval)
	}
}

// publishWholeList publishes the whole list: after the log was read for the first time, and after
// the log lost entries that views had shown.
func (f *logFollower) publishWholeList(r *presence.Registry) {
	if f.isHubLoaded {
		f.hub.Rebase(r.Streams(), r.Position(), r.LogTime())
	} else {
		f.hub.Load(r.Streams(), r.Position(), r.LogTime())
		f.isHubLoaded = true
	}
	f.rebuildCount.Add(1)
	f.attachments.DetachStale(r)
	f.signalOwnSettingsInLog(r.Settings().Revision)
}

// signalOwnSettingsInLog closes settingsInLog once the revision in the log is this node's, or newer.
func (f *logFollower) signalOwnSettingsInLog(revisionInLog int64) {
	select {
	case <-f.settingsInLog:
	default:
		if revisionInLog >= f.ownRevision {
			close(f.settingsInLog)
		}
	}
}

// logStateChange writes one log line if the state of a stream has changed.
func (f *logFollower) logStateChange(c *presence.Change) {
	if c.Cause == presence.ByCounts || c.Cause == presence.ByUpdate {
		return
	}
	from, to, reason := "none", "ended", c.Cause.String()
	st := c.New
	if c.Old != nil {
		from = c.Old.State.String()
	}
	if st != nil {
		to = st.State.String()
	} else {
		st, reason = c.Old, c.Ended.Reason.String()
	}
	line := f.log.Info().Str("stream", st.Code).Str("anchor", st.Anchor).Str("from", from).Str("to", to).Str("reason", reason)
	if c.Ended != nil {
		line = line.Str("by", c.Ended.By).Int64("duration_ms", c.Ended.DurationMS()).
			Int64("peak_viewers", st.PeakViewers).Int64("likes", st.Likes)
	}
	line.Msg("stream state changed")
}
