package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Signers are the providers that push and play URLs can be signed for, as package
// signing knows them.
var Signers = []string{
	"tencent", "tencent_cdn_a", "tencent_cdn_b", "tencent_cdn_c", "tencent_cdn_d", "aliyun_a", "aliyun_b", "aliyun_c",
	"huawei_a", "huawei_b", "huawei_d", "volcengine", "qiniu", "qiniu_pili", "kingsoft", "secure_link", "template", "none",
}

// Signer is how the URLs of one domain are signed and verified.
type Signer struct {
	Provider       string // one of Signers
	Template       string // of the provider template alone
	Key, BackupKey Secret
	Delta          time.Duration
	Algorithm      string // of the provider tencent alone, which has a choice
}

// Signer is that of the push domain.
func (p *Push) Signer() Signer {
	return Signer{p.Provider, p.Template, p.Key, p.BackupKey, p.Delta, p.Algorithm}.only()
}

// Signer is that of a play domain. A key of its own has a backup key of its own,
// or none: that of another provider is not to open anything here.
func (p *Play) Signer(domain string) Signer {
	s := Signer{cmp.Or(p.Providers[domain], p.Provider), p.Template, p.Keys[domain], p.BackupKeys[domain], p.Delta, p.Algorithm}
	if s.Key == "" {
		s.Key, s.BackupKey = p.Key, cmp.Or(s.BackupKey, p.BackupKey)
	}
	if delta, own := p.Deltas[domain]; own {
		s.Delta = delta
	}
	return s.only()
}

// only leaves out what the provider does not have.
func (s Signer) only() Signer {
	if s.Provider != "template" {
		s.Template = ""
	}
	if s.Provider != "tencent" {
		s.Algorithm = ""
	}
	return s
}

// signsPath reports whether a provider signs in the path, which has HTTP alone.
func (s Signer) signsPath() bool {
	return slices.Contains([]string{"aliyun_b", "tencent_cdn_b", "tencent_cdn_c"}, s.Provider)
}

// inMinutes reports whether the time in a provider's URLs is one of minutes.
func (s Signer) inMinutes() bool { return s.Provider == "aliyun_b" || s.Provider == "tencent_cdn_b" }

// leastInMinutes is the least play.ttl where times are in minutes: a URL is valid
// for half of it at least, and ends up to a minute early.
const leastInMinutes = 4 * time.Minute

// checkSigners sees that each provider can do what is asked of it.
func (a *audit) checkSigners() {
	push := a.Push.Signer()
	if push.signsPath() {
		a.refuse("push.provider", "%s signs the path of HTTP URLs, and nobody pushes over HTTP", push.Provider)
	}
	if (a.Push.Template != "") != (push.Provider == "template") {
		a.refuse("push.template", "it and the provider template are given together or not at all")
	}
	if a.Push.Algorithm == "sha256" && push.Provider != "tencent" {
		a.refuse("push.algorithm", "%s has no sha256", push.Provider)
	}
	a.checkDelta("push.delta", a.Push.Delta, "push.ttl", a.Push.TTL)
	a.checkPlaySigners()
	a.checkPlayHooks(push)
	checkOwn(a, "play.providers", a.Play.Providers)
	checkOwn(a, "play.keys", a.Play.Keys)
	checkOwn(a, "play.backup_keys", a.Play.BackupKeys)
	checkOwn(a, "play.deltas", a.Play.Deltas)
	a.checkPlayback()
}

// checkPlayHooks sees that no URL that a viewer is given opens more than it should at
// a media server that asks about pushes and players.
func (a *audit) checkPlayHooks(push Signer) {
	h := &a.Hooks
	if !h.SRS.Enabled && !h.NginxRTMP.Enabled && !h.MediaMTX.Enabled && !h.ZLM.Enabled {
		return
	}
	signed := slices.ContainsFunc(a.Play.Domains, func(d Weighted) bool { return a.Play.Signer(d.Name).Provider != "none" })
	for _, d := range a.Play.Domains {
		s := a.Play.Signer(d.Name)
		switch {
		case s.signsPath():
			a.refuse("play.provider", "%s, of %s, signs the path, which media servers do not tell when they ask about a player", s.Provider, d.Name)
		case s.Provider == "none" && signed:
			a.refuse("play.providers", "%s is none: a media server that asks would let everybody play from all domains", d.Name)
		case s.Provider == "none" || push.Provider == "none":
		case s.sharesKey(push):
			a.refuse("push.key", "%s has the same key: a viewer's URL would let viewers push", d.Name)
		}
	}
}

// sharesKey reports whether two signers have a key in common.
func (s Signer) sharesKey(other Signer) bool {
	return slices.ContainsFunc([]Secret{s.Key, s.BackupKey}, func(k Secret) bool { return k != "" && (k == other.Key || k == other.BackupKey) })
}

// checkPlaySigners looks at all play domains.
func (a *audit) checkPlaySigners() {
	templates, algorithms := false, false
	for _, d := range a.Play.Domains {
		s := a.Play.Signer(d.Name)
		templates, algorithms = templates || s.Provider == "template", algorithms || s.Provider == "tencent"
		for _, protocol := range a.Play.Protocols {
			if protocol == "rtmp" && s.signsPath() || protocol == "webrtc" && s.Provider != "tencent" {
				a.refuse("play.protocols", "%s, of %s, has no URLs of %s", s.Provider, d.Name, protocol)
			}
		}
		if s.inMinutes() && a.Play.TTL < leastInMinutes {
			a.refuse("play.ttl", "%v is under %v: the times of %s, of %s, are in minutes", a.Play.TTL, leastInMinutes, s.Provider, d.Name)
		}
		name := "play.delta"
		if _, own := a.Play.Deltas[d.Name]; own {
			name = "play.deltas"
		}
		a.checkDelta(name, s.Delta, "play.ttl", a.Play.TTL)
	}
	if (a.Play.Template != "") != templates {
		a.refuse("play.template", "it and the provider template are given together or not at all")
	}
	if a.Play.Algorithm == "sha256" && !algorithms {
		a.refuse("play.algorithm", "none of the providers has sha256")
	}
}

// checkDelta sees that something is left of a URL's time.
func (a *audit) checkDelta(name string, delta time.Duration, of string, ttl time.Duration) {
	switch {
	case delta%time.Second != 0:
		a.refuse(name, "%v is no whole number of seconds", delta)
	case a.sound(of) && delta >= ttl:
		a.refuse(name, "%v is not shorter than %s of %v", delta, of, ttl)
	}
}

// checkOwn sees that what is given by domain is given for play domains.
func checkOwn[V any](a *audit, name string, of map[string]V) {
	for _, domain := range slices.Sorted(maps.Keys(of)) {
		if !slices.ContainsFunc(a.Play.Domains, func(d Weighted) bool { return d.Name == domain }) {
			a.refuse(name, "%q is none of play.domain", domain)
		}
	}
}

// checkPlayback sees that recordings can be signed for, and found.
func (a *audit) checkPlayback() {
	switch v := a.VOD; {
	case v.Key == "" && v.Provider != "none" && v.Provider != "plain":
		a.refuse("vod.provider", "%s needs vod.key", v.Provider)
	case v.Root != "" && !strings.HasPrefix(v.Root, "/"):
		a.refuse("vod.root", "%q does not begin with /", v.Root)
	case v.Root != "" && v.Domain == "":
		a.refuse("vod.root", "it is of no use without vod.domain")
	}
}

// setProviders reads a provider for each of some play domains.
func setProviders(c *Config, s string) error {
	m, err := mapping(s)
	if err != nil || len(m) == 0 {
		return err
	}
	for _, domain := range slices.Sorted(maps.Keys(m)) {
		if !slices.Contains(Signers, m[domain]) {
			return fmt.Errorf("%q of %s is none of %s", m[domain], domain, strings.Join(Signers, ", "))
		}
	}
	c.Play.Providers = m
	return nil
}

// setDeltas reads a validity for each of some play domains.
func setDeltas(c *Config, s string) error {
	m, err := mapping(s)
	if err != nil || len(m) == 0 {
		return err
	}
	deltas := make(map[string]time.Duration, len(m))
	for _, domain := range slices.Sorted(maps.Keys(m)) {
		var d time.Duration
		if err := duration(func(*Config) *time.Duration { return &d })(c, m[domain]); err != nil {
			return fmt.Errorf("of %s: %w", domain, err)
		}
		deltas[domain] = d
	}
	c.Play.Deltas = deltas
	return nil
}
