package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The providers that can be asked, and told.
const (
	Tencent       = "tencent"
	TencentLegacy = "tencent_legacy" // the live code API of before 2018
	SRS           = "srs"
	NginxRTMP     = "nginx_rtmp"

	clouds = Tencent + ", " + TencentLegacy + ", " + SRS + " or " + NginxRTMP
)

// Cloud is how providers are talked to.
type Cloud struct {
	SecretID   string
	SecretKey  Secret
	AppID      string
	APIKey     Secret
	URL        string
	VODURL     string
	VODAppID   int64
	ControlURL string
}

// Poll is who is asked which streams are pushed.
type Poll struct {
	Provider     string // or empty
	Interval     time.Duration
	OfflineAfter int64
	Rate         float64 // a second
}

// Moderation is who is told of kicks and bans.
type Moderation struct{ Provider string } // or empty

// Recordings are which recordings are kept.
type Recordings struct {
	Keep, Min time.Duration
	Provider  string // or empty
	Every     time.Duration
}

// Webhooks are who is told of what happens.
type Webhooks struct {
	URL     string
	Secrets []Secret
	Events  []string
	Retry   time.Duration
}

// WebhookEvents are the events that can be told.
var WebhookEvents = []string{"stream.started", "stream.away", "stream.resumed", "stream.ended", "recording.ready"}

// link reads the URL of a service. Its error does not repeat it, since it may
// hold a password.
func link(at func(*Config) *string) setter {
	return func(c *Config, s string) error {
		if s != "" {
			if u, err := url.Parse(s); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
				return fmt.Errorf("it is no http or https URL")
			}
		}
		*at(c) = s
		return nil
	}
}

func setVODApp(c *Config, s string) error {
	if s == "" {
		c.Cloud.VODAppID = 0
		return nil
	}
	return number(func(c *Config) *int64 { return &c.Cloud.VODAppID })(c, s)
}

func setWebhookSecrets(c *Config, s string) error {
	c.Webhooks.Secrets = nil
	for _, part := range split(s) {
		c.Webhooks.Secrets = append(c.Webhooks.Secrets, Secret(part))
	}
	return nil
}

// checkCloud sees that providers that are to be asked, or told, can be.
func (a *audit) checkCloud() {
	for _, use := range []struct{ key, provider string }{
		{"poll.provider", a.Poll.Provider}, {"moderation.provider", a.Moderation.Provider}, {"recordings.provider", a.Recordings.Provider},
	} {
		switch c := a.Cloud; use.provider {
		case Tencent:
			if c.SecretID == "" || c.SecretKey == "" {
				a.refuse(use.key, "tencent needs cloud.secret_id and cloud.secret_key")
			}
		case TencentLegacy:
			if c.AppID == "" || c.APIKey == "" {
				a.refuse(use.key, "tencent_legacy needs cloud.app_id and cloud.api_key")
			}
		case SRS:
			if c.URL == "" {
				a.refuse(use.key, "srs needs cloud.url, its HTTP API")
			}
		case NginxRTMP:
			switch {
			case use.key == "moderation.provider" && c.ControlURL == "":
				a.refuse(use.key, "nginx_rtmp needs cloud.control_url")
			case use.key != "moderation.provider" && c.URL == "":
				a.refuse(use.key, "nginx_rtmp needs cloud.url, its statistics page")
			}
		}
	}
	if used := a.providersAsked(); a.Cloud.URL != "" && len(used) > 1 {
		a.refuse("cloud.url", "it is the URL of one provider, and %s are asked or told: signed calls to one would go to the other", strings.Join(used, " and "))
	}
	for _, t := range []struct {
		name         string
		value, least time.Duration
	}{
		{"poll.interval", a.Poll.Interval, time.Second},
		{"recordings.every", a.Recordings.Every, time.Minute},
		{"liveness.poll_blind", a.Liveness.PollBlind, a.Poll.Interval},
		{"webhooks.retry", a.Webhooks.Retry, time.Second},
	} {
		if t.value < t.least {
			a.refuse(t.name, "%v is under %v", t.value, t.least)
		}
	}
	if a.Poll.OfflineAfter > maxPolls {
		a.refuse("poll.offline_after", "%d is over %d", a.Poll.OfflineAfter, maxPolls)
	}
	if a.Liveness.Media == "required" && a.Poll.Provider == "" {
		a.refuse("liveness.media", "required needs poll.provider")
	}
	if a.Webhooks.URL != "" && len(a.Webhooks.Secrets) == 0 {
		a.refuse("webhooks.secret", "it is needed: whoever gets webhooks must be able to tell that they are ours")
	}
}

// providersAsked are the different providers that are asked or told.
func (a *audit) providersAsked() []string {
	used := slices.DeleteFunc([]string{a.Poll.Provider, a.Moderation.Provider, a.Recordings.Provider}, func(name string) bool { return name == "" })
	slices.Sort(used)
	return slices.Compact(used)
}

// maxPolls bounds polls in a row, as in package presence.
const maxPolls = 1 << 20
