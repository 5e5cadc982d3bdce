package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"onair/presence"
	"onair/server/cloud"
	"onair/server/config"
	"onair/server/poll"
)

// clouds are the clients of those who are asked and told, one for each provider,
// all within one rate.
type clouds struct {
	tencent *cloud.Tencent
	legacy  *cloud.TencentLegacy
	srs     *cloud.SRS
	nginx   *cloud.NginxRTMP
}

func newClouds(cfg *config.Config) clouds {
	o := cloud.Options{Rate: rate.NewLimiter(rate.Limit(cfg.Poll.Rate), max(1, int(cfg.Poll.Rate/2)))}
	c := &cfg.Cloud
	return clouds{
		tencent: cloud.NewTencent(cloud.TencentConfig{
			SecretID: c.SecretID, SecretKey: c.SecretKey.Reveal(), Domain: cfg.Push.Domain, App: cfg.Push.App, URL: c.URL, VODURL: c.VODURL,
		}, o),
		legacy: cloud.NewTencentLegacy(cloud.LegacyConfig{AppID: c.AppID, Key: c.APIKey.Reveal(), URL: c.URL}, o),
		srs:    cloud.NewSRS(c.URL, cfg.Push.App, o),
		nginx:  cloud.NewNginxRTMP(c.URL, c.ControlURL, cfg.Push.App, o),
	}
}

// polled is how a provider is asked what is pushed.
func (c *clouds) polled(provider string) poll.Cloud {
	switch provider {
	case config.Tencent:
		return poll.Cloud{Online: c.tencent.Online, IsOnline: c.tencent.IsOnline}
	case config.TencentLegacy:
		return poll.Cloud{IsOnline: c.legacy.IsOnline}
	case config.SRS:
		return poll.Cloud{Online: c.srs.Online}
	}
	return poll.Cloud{Online: c.nginx.Online}
}

// moderator is a provider that is told of kicks and bans.
func (c *clouds) moderator(provider string) moderator {
	switch provider {
	case config.Tencent:
		return c.tencent
	case config.TencentLegacy:
		return c.legacy
	case config.SRS:
		return c.srs
	}
	return c.nginx
}

// tapes lists the recordings of a live code that a provider has of a time.
type tapes func(ctx context.Context, code string, from, to time.Time, each func(presence.Recording)) error

// engage makes what talks to the providers that are configured.
func (s *server) engage(reg prometheus.Registerer) {
	c := newClouds(s.cfg)
	if provider := s.cfg.Poll.Provider; provider != "" {
		s.polls = poll.New(poll.Options{
			Cloud: c.polled(provider), Interval: s.cfg.Poll.Interval, Targets: s.toPoll, Tell: s.polled, Logger: s.log, Metrics: reg,
		})
		s.confirm = s.polls.Ask
	}
	if provider := s.cfg.Moderation.Provider; provider != "" {
		s.moderator = c.moderator(provider)
	}
	switch s.cfg.Recordings.Provider {
	case config.Tencent:
		s.tapes = c.tencent.Recordings
	case config.TencentLegacy:
		s.tapes = c.legacy.Recordings
	}
}

// toPoll are the sessions that the poller asks for.
func (s *server) toPoll() (all []presence.Polled) {
	s.node.Read(func(r *presence.Registry) { all = r.ToPoll() })
	return all
}

// polled passes on what the poller has found out, if it is news.
func (s *server) polled(session presence.Session, sign presence.Sign) {
	news := false
	s.node.Read(func(r *presence.Registry) { news = r.IsNews(session, sign) })
	if news {
		s.node.Tell(&presence.Observe{Session: session, Source: presence.FromPoll, Sign: sign, Detail: s.cfg.Poll.Provider})
	}
}

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
			if err != nil {
				s.log.Warn().Err(err).Msg("the provider's recordings could not be listed, trying again")
				break
			}
		}
	}
}

// endedSince are the sessions that ended in so much time, the last first.
func (s *server) endedSince(d time.Duration) (all []*presence.Ended) {
	s.node.Read(func(r *presence.Registry) {
		for _, e := range r.Endings(0) {
			if e.EndedAt < r.Time()-d.Milliseconds() {
				return
			}
			all = append(all, e)
		}
	})
	return all
}
