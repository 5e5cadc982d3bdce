package config

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"onair/signing"
)

// SignerConfig configures the signer of one domain.
type SignerConfig struct {
	Provider       string // one of signing.Providers
	Template       string // for the provider template only
	Key, BackupKey Secret
	Delta          time.Duration
	Algorithm      string // for the provider tencent only; the others have one
}

// SignerConfig returns the signer of the push domain.
func (p *Push) SignerConfig() SignerConfig {
	return SignerConfig{p.Provider, p.Template, p.Key, p.BackupKey, p.Delta, p.Algorithm}.withoutUnusedFields()
}

// SignerConfig returns the signer of a play domain. A domain with a key of its own does
// not accept play.backup_key, which may belong to another provider.
func (p *Play) SignerConfig(domain string) SignerConfig {
	s := SignerConfig{cmp.Or(p.Providers[domain], p.Provider), p.Template, p.Keys[domain], p.BackupKeys[domain], p.Delta, p.Algorithm}
	if s.Key == "" {
		s.Key, s.BackupKey = p.Key, cmp.Or(s.BackupKey, p.BackupKey)
	}
	if delta, ok := p.Deltas[domain]; ok {
		s.Delta = delta
	}
	return s.withoutUnusedFields()
}

// withoutUnusedFields returns s without the fields that its provider does not use.
func (s SignerConfig) withoutUnusedFields() SignerConfig {
	if s.Provider != "template" {
		s.Template = ""
	}
	if s.Provider != "tencent" {
		s.Algorithm = ""
	}
	return s
}

// signsPath reports whether the provider signs the path, which only HTTP URLs allow.
func (s SignerConfig) signsPath() bool {
	return slices.Contains([]string{"aliyun_b", "tencent_cdn_b", "tencent_cdn_c"}, s.Provider)
}

// hasWholeMinuteTimes reports whether the times in the provider's URLs are whole minutes.
func (s SignerConfig) hasWholeMinuteTimes() bool {
	return s.Provider == "aliyun_b" || s.Provider == "tencent_cdn_b"
}

// minMinutesTTL is the least play.ttl for times in whole minutes. A URL is valid for at
// least half of play.ttl, and expires up to a minute early.
const minMinutesTTL = 4 * time.Minute

// validateSigners checks that each provider supports its use.
func (v *validation) validateSigners() {
	push := v.Push.SignerConfig()
	if push.signsPath() {
		v.rejectValue("push.provider", "it signs the path of HTTP URLs, but encoders do not push over HTTP")
	}
	if (v.Push.Template != "") != (push.Provider == "template") {
		v.addFirstError("push.template", "must be set together with the provider template")
	}
	if v.Push.Algorithm == "sha256" && push.Provider != "tencent" {
		v.rejectValue("push.algorithm", "%s has only md5", push.Provider)
	}
	v.validateDelta("push.delta", v.Push.Delta, "push.ttl", v.Push.TTL)
	v.validatePlaySigners()
	v.validatePlaySignersWithHooks(push)
	rejectUnknownPlayDomains(v, "play.providers", v.Play.Providers)
	rejectUnknownPlayDomains(v, "play.keys", v.Play.Keys)
	rejectUnknownPlayDomains(v, "play.backup_keys", v.Play.BackupKeys)
	rejectUnknownPlayDomains(v, "play.deltas", v.Play.Deltas)
	v.validateVOD()
}

// validatePlaySignersWithHooks checks play domains against media servers that request permission
// for pushes and players: a play URL must not permit a push or other domains.
func (v *validation) validatePlaySignersWithHooks(push SignerConfig) {
	if !v.Hooks.mediaServerEnabled() {
		return
	}
	anySigned := slices.ContainsFunc(v.Play.Domains, func(d WeightedDomain) bool { return v.Play.SignerConfig(d.Name).Provider != "none" })
	for _, d := range v.Play.Domains {
		s := v.Play.SignerConfig(d.Name)
		switch {
		case s.signsPath():
			v.addFirstError("play.provider", "%s (domain %s) signs the path, which media servers do not send in callbacks", s.Provider, d.Name)
		case s.Provider == "none" && anySigned:
			v.addFirstError("play.providers", "%s must not be none: a media server with hooks would then permit unsigned playback for all domains", d.Name)
		case s.Provider == "none" || push.Provider == "none":
		case s.sharesKeyWith(push):
			v.rejectValue("push.key", "must differ from the key of %s: a play URL would permit a push", d.Name)
		}
	}
}

// sharesKeyWith reports whether two signers have a key in common.
func (s SignerConfig) sharesKeyWith(other SignerConfig) bool {
	return slices.ContainsFunc([]Secret{s.Key, s.BackupKey}, func(k Secret) bool { return k != "" && (k == other.Key || k == other.BackupKey) })
}

// validatePlaySigners checks the signers of all play domains.
func (v *validation) validatePlaySigners() {
	for _, protocol := range v.Play.Protocols {
		if server := signing.Server(v.Play.Server); !server.Plays(signing.Protocol(protocol)) {
			v.rejectValue("play.protocols", "the server %s (play.server) has no %s URLs", server, protocol)
		}
	}
	hasTemplate, hasAlgorithm := false, false
	for _, d := range v.Play.Domains {
		s := v.Play.SignerConfig(d.Name)
		hasTemplate, hasAlgorithm = hasTemplate || s.Provider == "template", hasAlgorithm || s.Provider == "tencent"
		for _, protocol := range v.Play.Protocols {
			if protocol == "rtmp" && s.signsPath() || protocol == "webrtc" && s.Provider != "tencent" {
				v.rejectValue("play.protocols", "%s (domain %s) has no %s URLs", s.Provider, d.Name, protocol)
			}
		}
		if s.hasWholeMinuteTimes() && v.Play.TTL < minMinutesTTL {
			v.rejectValue("play.ttl", "must be at least %v: the times of %s (domain %s) are whole minutes", minMinutesTTL, s.Provider, d.Name)
		}
		name := "play.delta"
		if _, ok := v.Play.Deltas[d.Name]; ok {
			name = "play.deltas"
		}
		v.validateDelta(name, s.Delta, "play.ttl", v.Play.TTL)
	}
	if (v.Play.Template != "") != hasTemplate {
		v.addFirstError("play.template", "must be set together with the provider template")
	}
	if v.Play.Algorithm == "sha256" && !hasAlgorithm {
		v.rejectValue("play.algorithm", "no play provider has sha256")
	}
}

// validateDelta checks that a delta is in whole seconds and leaves a part of the TTL.
func (v *validation) validateDelta(name string, delta time.Duration, ttlName string, ttl time.Duration) {
	switch {
	case delta%time.Second != 0:
		v.rejectValue(name, "must be a whole number of seconds")
	case v.keysAreValid(ttlName) && delta >= ttl:
		v.rejectValue(name, "must be shorter than %s (%v)", ttlName, ttl)
	}
}

// rejectUnknownPlayDomains adds an error about each domain of a map that is no play domain.
func rejectUnknownPlayDomains[V any](v *validation, keyName string, byDomain map[string]V) {
	for _, domain := range slices.Sorted(maps.Keys(byDomain)) {
		if !slices.ContainsFunc(v.Play.Domains, func(d WeightedDomain) bool { return d.Name == domain }) {
			v.rejectValue(keyName, "%q must be one of play.domain", domain)
		}
	}
}

// validateVOD checks that playback URLs can be signed and have a domain.
func (v *validation) validateVOD() {
	switch vod := v.VOD; {
	case vod.Key == "" && vod.Provider != "none" && vod.Provider != "plain":
		v.addFirstError("vod.provider", "%s requires vod.key", vod.Provider)
	case vod.Root != "" && !strings.HasPrefix(vod.Root, "/"):
		v.rejectValue("vod.root", "must begin with /")
	case vod.Root != "" && vod.Domain == "":
		v.addFirstError("vod.root", "requires vod.domain")
	}
}
