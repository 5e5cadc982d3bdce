package settings

import (
	"slices"

	"onair/presence"
	"onair/server/config"
)

// SettingsOf is the part of the configuration that all nodes share.
func SettingsOf(cfg *config.Config) presence.Settings {
	return presence.Settings{
		Revision: cfg.Settings.Revision,
		Interval: cfg.Heartbeat.Interval.Milliseconds(), Missed: int64(cfg.Heartbeat.Missed),
		Grace:    cfg.Heartbeat.Grace.Milliseconds(),
		EndGrace: cfg.Liveness.EndGrace.Milliseconds(), StartWithin: cfg.Liveness.StartWithin.Milliseconds(),
		CallbackOnly:   cfg.Liveness.CallbackOnly.Milliseconds(),
		PollEvery:      cfg.Poll.Interval.Milliseconds(),
		OfflineAfter:   cfg.Poll.OfflineAfter,
		BlindAfter:     int64((cfg.Liveness.PollBlind + cfg.Poll.Interval - 1) / cfg.Poll.Interval),
		MediaRequired:  cfg.Liveness.Media == "required",
		EventKinds:     effectsOf(cfg),
		RefuseTakeover: cfg.Takeover == "refuse", ShowPublished: cfg.List.Show == "publish",
	}
}

// effectsOf are the kinds of what happens of which somebody outside is told.
func effectsOf(cfg *config.Config) (set presence.EventKinds) {
	if cfg.Webhooks.URL != "" {
		for kind, name := range EventNames {
			if slices.Contains(cfg.Webhooks.Events, name) {
				set |= presence.EventKindsOf(kind)
			}
		}
	}
	if cfg.Moderation.Provider != "" {
		set |= presence.EventKindsOf(presence.StreamEnded, presence.BanSet, presence.BanLifted)
	}
	return set
}

// EventNames are the kinds of effects in words: those of webhooks, and bans.
var EventNames = map[presence.EventKind]string{
	presence.StreamStarted: "stream.started", presence.StreamAway: "stream.away", presence.StreamResumed: "stream.resumed",
	presence.StreamEnded: "stream.ended", presence.RecordingReady: "recording.ready", presence.RecordingAmended: "recording.amended",
	presence.BanSet: "anchor.banned", presence.BanLifted: "anchor.unbanned",
}
