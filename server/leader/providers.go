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

// providerClient is the client of a provider, by purpose.
type providerClient struct {
	poll       poll.Provider
	moderator  Moderator
	recordings RecordingLister // nil: the provider has no list of recordings
}

// RecordingLister calls onRecording for each recording of a live code that the provider has
// between two times.
type RecordingLister func(ctx context.Context, code string, from, to time.Time, onRecording func(presence.Recording)) error

// newProviderClient makes the client of a provider. The error names what is configured wrong.
func newProviderClient(provider string, cfg *config.Config, budget *cloud.Budget) (providerClient, error) {
	c, o := &cfg.Cloud, cloud.Options{Budget: budget}
	switch provider {
	case config.Tencent:
		t, err := cloud.NewTencent(cloud.TencentConfig{
			SecretID: c.SecretID, SecretKey: c.SecretKey.Reveal(), Domain: cfg.Push.Domain, App: cfg.Push.App, URL: c.URL, VODURL: c.VODURL, VODApp: c.VODAppID,
		}, o)
		if err != nil {
			return providerClient{}, err
		}
		return providerClient{poll.Provider{ForEachOnline: t.ForEachOnline, IsOnline: t.IsOnline, Budget: budget}, t, t.ForEachRecording}, nil
	case config.TencentLegacy:
		t, err := cloud.NewTencentLegacy(cloud.LegacyConfig{AppID: c.AppID, Key: c.APIKey.Reveal(), URL: c.URL}, o)
		if err != nil {
			return providerClient{}, err
		}
		return providerClient{poll.Provider{IsOnline: t.IsOnline, Budget: budget}, t, t.ForEachRecording}, nil
	case config.SRS:
		srs, err := cloud.NewSRS(c.URL, cfg.Push.App, o)
		if err != nil {
			return providerClient{}, err
		}
		return providerClient{poll.Provider{ForEachOnline: srs.ForEachOnline, Budget: budget}, srs, nil}, nil
	}
	nginx, err := cloud.NewNginxRTMP(c.URL, c.ControlURL, cfg.Push.App, o)
	if err != nil {
		return providerClient{}, err
	}
	return providerClient{poll.Provider{ForEachOnline: nginx.ForEachOnline, Budget: budget}, nginx, nil}, nil
}

// NewProviders makes the clients of the configured providers, which share one budget. The error
// names the key of the provider that is configured wrong.
func NewProviders(cfg *config.Config) (p Providers, err error) {
	budget := cloud.NewBudget(cfg.Poll.Rate)
	for _, use := range []struct {
		key, provider string
		assign        func(providerClient)
	}{
		{"poll.provider", cfg.Poll.Provider, func(c providerClient) { p.Poll = &c.poll }},
		{"moderation.provider", cfg.Moderation.Provider, func(c providerClient) { p.Moderator = c.moderator }},
		{"recordings.provider", cfg.Recordings.Provider, func(c providerClient) { p.Recordings = c.recordings }},
	} {
		if use.provider == "" {
			continue
		}
		c, err := newProviderClient(use.provider, cfg, budget)
		if err != nil {
			return p, fmt.Errorf("%s: %w", use.key, err)
		}
		use.assign(c)
	}
	return p, nil
}
