package node

import (
	"slices"

	"onair/presence"
	"onair/server/config"
)

// sharedSettings returns the part of the configuration that all nodes share through the log.
func sharedSettings(cfg *config.Config) presence.Settings {
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
		EventKinds:     outboxEventKinds(cfg),
		RefuseTakeover: cfg.Takeover == "refuse", ShowPublished: cfg.List.Show == "publish",
	}
}

// outboxEventKinds returns the kinds of events that the registry puts into its outbox for
// webhooks and moderation.
func outboxEventKinds(cfg *config.Config) (kinds presence.EventKinds) {
	if cfg.Webhooks.URL != "" {
		for kind := presence.StreamStarted; kind <= presence.RecordingAmended; kind++ {
			if slices.Contains(cfg.Webhooks.Events, kind.String()) {
				kinds |= presence.EventKindsOf(kind)
			}
		}
	}
	if cfg.Moderation.Provider != "" {
		kinds |= presence.EventKindsOf(presence.StreamEnded, presence.BanSet, presence.BanLifted)
	}
	return kinds
}
