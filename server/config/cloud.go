package config

import (
	"slices"
	"strings"
	"time"
)

// The providers that can be polled and moderated.
const (
	Tencent       = "tencent"
	TencentLegacy = "tencent_legacy" // the live code API from before 2018
	SRS           = "srs"
	NginxRTMP     = "nginx_rtmp"

	cloudProviders = Tencent + ", " + TencentLegacy + ", " + SRS + " or " + NginxRTMP
)

// Cloud configures the clients of providers.
type Cloud struct {
	SecretID   string
	SecretKey  Secret
	AppID      string
	APIKey     Secret
	URL        URL
	VODURL     URL
	VODAppID   int64
	ControlURL URL
}

// Poll configures polls of the push state.
type Poll struct {
	Provider     string // empty: none
	Interval     time.Duration
	OfflineAfter int64
	Rate         float64 // requests per second
}

// Recordings configures the retention and comparison of recordings.
type Recordings struct {
	Keep, Min time.Duration
	Provider  string // empty: none
	Every     time.Duration
}

// Webhooks configures the delivery of events to the app's back end.
type Webhooks struct {
	URL     URL
	Secrets []Secret
	Events  []string
	Retry   time.Duration
}

// WebhookEvents are the types of events that webhooks can deliver.
var WebhookEvents = []string{"stream.started", "stream.away", "stream.resumed", "stream.ended", "recording.ready"}

// validateCloud checks that each provider in use has its credentials and addresses.
func (v *validation) validateCloud() {
	used := []struct{ key, provider string }{
		{"poll.provider", v.Poll.Provider}, {"moderation.provider", v.Moderation.Provider}, {"recordings.provider", v.Recordings.Provider},
	}
	var providers []string
	for _, u := range used {
		if missing := v.Cloud.missingKeys(u.provider, u.key == "moderation.provider"); missing != "" {
			v.addFirstError(u.key, "%s requires %s", u.provider, missing)
		}
		if u.provider != "" && !slices.Contains(providers, u.provider) {
			providers = append(providers, u.provider)
		}
	}
	if v.Cloud.URL != "" && len(providers) > 1 {
		slices.Sort(providers)
		v.addFirstError("cloud.url", "must belong to one provider: %s are in use, and signed calls to one would go to the other", strings.Join(providers, " and "))
	}
	if v.Liveness.Media == "required" && v.Poll.Provider == "" {
		v.rejectValue("liveness.media", "requires poll.provider")
	}
	if v.Webhooks.URL != "" && len(v.Webhooks.Secrets) == 0 {
		v.addFirstError("webhooks.secret", "required by webhooks.url: the receiver must be able to verify events")
	}
}

// missingKeys describes the keys that a provider requires and lacks, or returns "".
func (c *Cloud) missingKeys(provider string, forModeration bool) (description string) {
	switch {
	case provider == Tencent && (c.SecretID == "" || c.SecretKey == ""):
		return "cloud.secret_id and cloud.secret_key"
	case provider == TencentLegacy && (c.AppID == "" || c.APIKey == ""):
		return "cloud.app_id and cloud.api_key"
	case provider == SRS && c.URL == "":
		return "cloud.url, its HTTP API"
	case provider == NginxRTMP && forModeration && c.ControlURL == "":
		return "cloud.control_url"
	case provider == NginxRTMP && !forModeration && c.URL == "":
		return "cloud.url, its statistics page"
	}
	return ""
}
