package main

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"onair/presence"
	"onair/server/cloud"
	"onair/server/config"
	"onair/server/poll"
)

// cloudClient is the client of a provider: what there is to do by it.
type cloudClient struct {
	polled    poll.Provider
	moderator moderator
	tapes     tapes // nil: it has no list of recordings
}

// tapes lists the recordings of a live code that a provider has of a time.
type tapes func(ctx context.Context, code string, from, to time.Time, each func(presence.Recording)) error

// newCloudClient makes the client of a provider.
func newCloudClient(provider string, cfg *config.Config, budget *cloud.Budget) (cloudClient, error) {
	c, o := &cfg.Cloud, cloud.Options{Budget: budget}
	switch provider {
	case config.Tencent:
		t, err := cloud.NewTencent(cloud.TencentConfig{
			SecretID: c.SecretID, SecretKey: c.SecretKey.Reveal(), Domain: cfg.Push.Domain, App: cfg.Push.App, URL: c.URL, VODURL: c.VODURL, VODApp: c.VODAppID,
		}, o)
		if err != nil {
			return cloudClient{}, err
		}
		return cloudClient{poll.Provider{ForEachOnline: t.ForEachOnline, PushState: t.PushState, Budget: budget}, t, t.ForEachRecording}, nil
	case config.TencentLegacy:
		t, err := cloud.NewTencentLegacy(cloud.LegacyConfig{AppID: c.AppID, Key: c.APIKey.Reveal(), URL: c.URL}, o)
		if err != nil {
			return cloudClient{}, err
		}
		return cloudClient{poll.Provider{PushState: t.PushState, Budget: budget}, t, t.ForEachRecording}, nil
	case config.SRS:
		srs, err := cloud.NewSRS(c.URL, cfg.Push.App, o)
		if err != nil {
			return cloudClient{}, err
		}
		return cloudClient{poll.Provider{ForEachOnline: srs.ForEachOnline, Budget: budget}, srs, nil}, nil
	}
	nginx, err := cloud.NewNginxRTMP(c.URL, c.ControlURL, cfg.Push.App, o)
	if err != nil {
		return cloudClient{}, err
	}
	return cloudClient{poll.Provider{ForEachOnline: nginx.ForEachOnline, Budget: budget}, nginx, nil}, nil
}

// engage makes what talks to the providers that are configured, all within one
// budget. It returns an error that names the key of one that cannot be talked to.
func (s *server) engage(reg prometheus.Registerer) error {
	budget := cloud.NewBudget(s.cfg.Poll.Rate)
	for _, use := range []struct {
		key, provider string
		of            func(cloudClient)
	}{
		{"poll.provider", s.cfg.Poll.Provider, func(c cloudClient) {
			s.polls = poll.NewPoller(poll.Options{
				Provider: c.polled, Interval: s.cfg.Poll.Interval, Targets: s.toPoll, OnResult: s.polled, Logger: s.log, Metrics: reg,
			})
			s.confirm = s.polls.QueryNow
		}},
		{"moderation.provider", s.cfg.Moderation.Provider, func(c cloudClient) { s.moderator = c.moderator }},
		{"recordings.provider", s.cfg.Recordings.Provider, func(c cloudClient) { s.tapes = c.tapes }},
	} {
		if use.provider == "" {
			continue
		}
		c, err := newCloudClient(use.provider, s.cfg, budget)
		if err != nil {
			return usageError{fmt.Errorf("%s: %w", use.key, err)}
		}
		use.of(c)
	}
	return nil
}

// toPoll are the sessions that the poller asks for.
func (s *server) toPoll() (all []poll.Target) {
	s.node.Read(func(r *presence.Registry) {
		for _, p := range r.PollTargets() {
			all = append(all, poll.Target(p))
		}
	})
	return all
}

// signs are what the poller's words are for the list.
var signs = [...]presence.Signal{poll.Online: presence.PollOnline, poll.Offline: presence.PollOffline, poll.NoAnswer: presence.PollFailed}

// polled passes on what the poller has found out, if it is news.
func (s *server) polled(w poll.Result) {
	sign, news := signs[w.Status], false
	s.node.Read(func(r *presence.Registry) { news = r.IsNewSignal(w.Session, sign) })
	if news {
		s.node.Enqueue(&presence.Observe{Session: w.Session, Source: presence.FromPoll, Signal: sign, Detail: s.cfg.Poll.Provider})
	}
}

// providerAway is after how many failures in a row no more is asked for.
const providerAway = 5

// compareRecordings asks the provider, once in a while, for the recordings of the
// sessions that have ended lately, and keeps those of which no callback has told.
// Each is asked for at least twice: a recording is there some minutes after the end.
func (s *server) compareRecordings(ctx context.Context) {
	every := s.cfg.Recordings.Every
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		failed := 0 // in a row
		for _, e := range s.endedSince(3 * every) {
			from, to := time.UnixMilli(e.Stream.StartedAt).Add(-time.Minute), time.Now()
			err := s.tapes(ctx, e.Stream.Code, from, to, func(rec presence.Recording) {
				if fault := s.record(ctx, &rec); fault != nil {
					s.log.Warn().Str("recording", rec.ID).Str("why", fault.Message).Msg("a recording could not be kept")
				}
			})
			if ctx.Err() != nil {
				return
			}
			if err == nil {
				failed = 0
				continue
			}
			s.log.Warn().Err(err).Str("stream", e.Stream.Code).Msg("the provider's recordings could not be listed, trying again")
			if failed++; failed == providerAway {
				break
			}
		}
	}
}

// endedSince are the sessions that ended in so much time, the last first.
func (s *server) endedSince(d time.Duration) (all []*presence.Ended) {
	s.node.Read(func(r *presence.Registry) {
		for _, e := range r.EndedSessions(0) {
			if e.EndedAt < r.LogTime()-d.Milliseconds() {
				return
			}
			all = append(all, e)
		}
	})
	return all
}
