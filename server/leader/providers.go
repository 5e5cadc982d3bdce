package leader

import (
	"context"
	"fmt"
	"time"

	"onair/presence"
	"onair/server/cloud"
	"onair/server/config"
	"onair/server/poll"
)

// Providers are the clouds and media servers of a deployment, by purpose.
type Providers struct {
	Poll       *poll.Provider  // nil: there are no status polls
	Moderator  Moderator       // nil: providers do not get kicks and bans
	Recordings RecordingLister // nil: recordings are not imported
}

// RecordingLister calls onRecording for each recording of a live code that the provider has
// between two times.
type RecordingLister func(ctx context.Context, code string, from, to time.Time, onRecording func(presence.Recording)) error

// newProviderClient makes the client of a provider, for all purposes that it supports. The
// error names what is configured wrong.
func newProviderClient(provider string, cfg *config.Config, budget *cloud.Budget) (p Providers, err error) {
	c, o := &cfg.Cloud, cloud.Options{Budget: budget}
	p.Poll = &poll.Provider{Budget: budget}
	switch provider {
	case config.Tencent:
		t, err := cloud.NewTencent(cloud.TencentConfig{
			SecretID: c.SecretID, SecretKey: c.SecretKey.Reveal(), Domain: cfg.Push.Domain, App: cfg.Push.App, URL: c.URL.Reveal(), VODURL: c.VODURL.Reveal(), VODApp: c.VODAppID,
		}, o)
		p.Poll.ForEachOnline, p.Poll.IsOnline, p.Moderator, p.Recordings = t.ForEachOnline, t.IsOnline, t, t.ForEachRecording
		return p, err
	case config.TencentLegacy:
		t, err := cloud.NewTencentLegacy(cloud.LegacyConfig{AppID: c.AppID, Key: c.APIKey.Reveal(), URL: c.URL.Reveal()}, o)
		p.Poll.IsOnline, p.Moderator, p.Recordings = t.IsOnline, t, t.ForEachRecording
		return p, err
	case config.SRS:
		srs, err := cloud.NewSRS(c.URL.Reveal(), cfg.Push.App, o)
		p.Poll.ForEachOnline, p.Moderator = srs.ForEachOnline, srs
		return p, err
	}
	nginx, err := cloud.NewNginxRTMP(c.URL.Reveal(), c.ControlURL.Reveal(), cfg.Push.App, o)
	p.Poll.ForEachOnline, p.Moderator = nginx.ForEachOnline, nginx
	return p, err
}

// NewProviders makes the clients of the configured providers, which share one budget. The error
// names the key of the provider that is configured wrong.
func NewProviders(cfg *config.Config) (p Providers, err error) {
	budget := cloud.NewBudget(cfg.Poll.Rate)
	for _, use := range []struct {
		key, provider string
		assign        func(client Providers)
	}{
		{"poll.provider", cfg.Poll.Provider, func(client Providers) { p.Poll = client.Poll }},
		{"moderation.provider", cfg.Moderation.Provider, func(client Providers) { p.Moderator = client.Moderator }},
		{"recordings.provider", cfg.Recordings.Provider, func(client Providers) { p.Recordings = client.Recordings }},
	} {
		if use.provider == "" {
			continue
		}
		client, err := newProviderClient(use.provider, cfg, budget)
		if err != nil {
			return p, fmt.Errorf("%s: %w", use.key, err)
		}
		use.assign(client)
	}
	return p, nil
}
