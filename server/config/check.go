package config

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	minSecret = 32     // the shortest HS256 key, in bytes: as long as its digest
	maxWindow = 10_000 // bounds limits.window: a frame of more entries helps nobody
	maxCode   = 128    // the longest live code, in bytes

	minBatch = 16 << 10 // bytes, bounds limits.batch: more than any one command takes

	maxMissed   = 250                 // bounds heartbeat.missed, as in package presence
	maxPresence = 12 * 24 * time.Hour // bounds interval × missed + grace, as in package presence
)

// audit is a configuration while it is read, and all that is wrong with it.
type audit struct {
	*Config
	values source
	faults []error
	faulty map[string]bool // keys that faults are about
}

// refuse says what is wrong with a key. A key that has been refused once is
// not refused again: what follows from a fault is none of its own.
func (a *audit) refuse(name, format string, args ...any) {
	if !a.sound(name) {
		return
	}
	a.faulty[name] = true
	a.faults = append(a.faults, fmt.Errorf("%s: %w", a.values.where(name), fmt.Errorf(format, args...)))
}

// sound reports whether nothing is wrong with any of the keys so far.
func (a *audit) sound(names ...string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return a.faulty[name] })
}

// check refuses what does not fit together.
func (a *audit) check() {
	a.checkAuth()
	a.checkAddresses()
	a.checkCode()
	a.checkPlaces()
	a.checkSigners()
	a.checkHeartbeat()
	a.checkTimes()
	a.checkHooks()
	a.checkCloud()
	a.checkRedis()
	if (a.TLS.Cert == "") != (a.TLS.Key == "") {
		a.refuse("tls.cert", "tls.cert and tls.key are given together or not at all")
	}
	if a.Limits.Batch < minBatch {
		a.refuse("limits.batch", "it is under %d bytes: no start would fit", minBatch)
	}
	if a.Limits.Window > maxWindow {
		a.refuse("limits.window", "%d is over %d", a.Limits.Window, maxWindow)
	}
	if len(a.Lists) == 0 {
		a.refuse("lists", "it names no list")
	}
	if a.Data == "" {
		a.refuse("data", "it is empty")
	}
}

// checkAuth sees that keys are long enough, and settles who may look on.
func (a *audit) checkAuth() {
	if n := len(a.Auth.Secret); n > 0 && n < minSecret {
		a.refuse("auth.secret", "it has %d bytes, and needs %d", n, minSecret)
	}
	for _, kid := range slices.Sorted(maps.Keys(a.Auth.Secrets)) {
		if s := a.Auth.Secrets[kid]; len(s) < minSecret {
			a.refuse("auth.secrets", "that of kid %s has %d bytes, and needs %d", kid, len(s), minSecret)
		}
	}
	if raw := a.Auth.JWKSURL; raw != "" {
		if u, err := url.Parse(raw); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			a.refuse("auth.jwks_url", "it is no http or https URL")
		}
	}
	if a.values["viewer.anonymous"].text == "" {
		a.Viewer.Anonymous = slices.Contains(a.Development, "auth.secret")
	}
}

// checkAddresses keeps made-up secrets away from everybody else.
func (a *audit) checkAddresses() {
	for _, at := range []struct{ name, address string }{{"listen", a.Listen}, {"ops.listen", a.Ops.Listen}} {
		_, port, err := net.SplitHostPort(at.address)
		if err == nil {
			_, err = strconv.ParseUint(port, 10, 16)
		}
		if err != nil {
			a.refuse(at.name, "%q is no host:port", at.address)
		}
	}
	if a.sound(a.Development...) && len(a.Development) > 0 && !loopback(a.Listen) {
		a.refuse("listen", "%s is not loopback, and development secrets are in use: give %s first",
			a.Listen, strings.Join(a.Development, ", "))
	}
}

// loopback reports whether an address can be reached from this machine alone.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// checkCode sees that the template gives live codes: of the right letters, with
// the prefix, one for each anchor or session, and short enough for some.
func (a *audit) checkCode() {
	if !isWord(a.BizID) {
		a.refuse("bizid", "%q is not of A-Z a-z 0-9 _ -", a.BizID)
		return
	}
	// What stands for each variable is the shortest text that it can have.
	code := strings.ReplaceAll(a.Code, "{bizid}", a.BizID)
	shortest := strings.NewReplacer(
		"{anchor}", "a", "{anchor_hash}", strings.Repeat("h", 20), "{session}", strings.Repeat("s", 26),
	).Replace(code)
	switch {
	case shortest == code:
		a.refuse("code", "%q gives every anchor the same live code: it needs {anchor}, {anchor_hash} or {session}", a.Code)
	case !isWord(shortest):
		a.refuse("code", "%q holds what a live code may not: it is of A-Z a-z 0-9 _ - and {bizid}, {anchor}, {anchor_hash}, {session}", a.Code)
	case !strings.HasPrefix(code, a.BizID+"_"):
		a.refuse("code", "%q does not start with {bizid}_", a.Code)
	case len(shortest) > maxCode:
		a.refuse("code", "%q gives live codes of %d bytes or more: they have at most %d", a.Code, len(shortest), maxCode)
	}
}

// checkPlaces sees that push and play URLs can be made of domains and paths.
func (a *audit) checkPlaces() {
	notInDomain := func(r rune) bool { return notInWord(r) && !strings.ContainsRune(".:[]", r) }
	domain := func(name, value string) {
		if a.sound("bizid") && (value == "" || strings.ContainsFunc(value, notInDomain)) {
			a.refuse(name, "%q is no domain", value)
		}
	}
	domain("push.domain", a.Push.Domain)
	for _, d := range a.Play.Domains {
		domain("play.domain", d.Name)
	}
	if !isWord(a.Push.App) {
		a.refuse("push.app", "%q is not of A-Z a-z 0-9 _ -", a.Push.App)
	}
	if !isWord(a.Play.App) {
		a.refuse("play.app", "%q is not of A-Z a-z 0-9 _ -", a.Play.App)
	}
	if len(a.Play.Protocols) == 0 {
		a.refuse("play.protocols", "it names no protocol")
	}
}

// checkHeartbeat keeps to what a lease can count.
func (a *audit) checkHeartbeat() {
	h := a.Heartbeat
	switch {
	case h.Interval < 100*time.Millisecond:
		a.refuse("heartbeat.interval", "%v is under 100ms", h.Interval)
	case h.Interval%time.Millisecond != 0:
		a.refuse("heartbeat.interval", "%v is no whole number of milliseconds", h.Interval)
	}
	if h.Missed > maxMissed {
		a.refuse("heartbeat.missed", "%d is over %d", h.Missed, maxMissed)
	}
	if a.sound("heartbeat.interval") && h.Grace > h.Interval {
		a.refuse("heartbeat.grace", "%v is longer than the interval of %v", h.Grace, h.Interval)
	}
	if a.sound("heartbeat.missed", "heartbeat.grace") && h.Interval > (maxPresence-h.Grace)/time.Duration(h.Missed) {
		a.refuse("heartbeat.interval", "%v times %d missed beats, and the grace, is over 12 days", h.Interval, h.Missed)
	}
}

// checkTimes keeps times to what their users can work with.
func (a *audit) checkTimes() {
	for _, t := range []struct {
		name         string
		value, least time.Duration
	}{
		{"flight.latency", a.Flight.Latency, time.Millisecond},
		{"hub.tick", a.Hub.Tick, time.Millisecond},
		{"idle", a.Idle, time.Second},
		{"push.ttl", a.Push.TTL, time.Second},
		{"play.ttl", a.Play.TTL, 2 * time.Second},
		{"vod.ttl", a.VOD.TTL, time.Second},
		{"liveness.start_within", a.Liveness.StartWithin, time.Second},
		{"liveness.callback_only", a.Liveness.CallbackOnly, time.Second},
	} {
		if t.value < t.least {
			a.refuse(t.name, "%v is under %v", t.value, t.least)
		}
	}
	if a.sound("hub.tick") && a.Hub.Counters < a.Hub.Tick {
		a.refuse("hub.counters", "%v is shorter than hub.tick of %v", a.Hub.Counters, a.Hub.Tick)
	}
}

// eventNames are those that may stand in the path of a callback.
var eventNames = []string{
	"publish", "publish_done", "play", "play_done", "update", "record_done", "auth", "available", "unavailable", "record",
	"on_publish", "on_unpublish", "on_play", "on_stop", "on_dvr", "on_stream_changed", "on_record_mp4", "on_stream_none_reader",
}

// checkHooks keeps callbacks, which may end sessions and refuse pushes, away
// from the public.
func (a *audit) checkHooks() {
	for name, h := range map[string]Hook{
		"tencent": a.Hooks.Tencent, "srs": a.Hooks.SRS, "nginx_rtmp": a.Hooks.NginxRTMP, "mediamtx": a.Hooks.MediaMTX, "zlm": a.Hooks.ZLM,
	} {
		key := "hooks." + name
		if h.Secret != "" && !isWord(h.Secret.Reveal()) {
			a.refuse(key+".secret", "it is not of A-Z a-z 0-9 _ -, and could not stand in a path")
		}
		if slices.Contains(eventNames, h.Secret.Reveal()) {
			a.refuse(key+".secret", "it is the name of an event")
		}
		if h.Enabled && len(h.Allow) == 0 && name != "tencent" {
			a.refuse(key+".allow", "it names no network, so that no callback could come")
		}
	}
	if h := a.Hooks.Tencent; h.Enabled && h.Secret == "" && a.Hooks.TencentKey == "" && len(h.Allow) == 0 {
		a.refuse("hooks.tencent.enabled", "anybody could call it: give hooks.tencent.key, and best hooks.tencent.secret too")
	}
	for name, d := range map[string]time.Duration{
		"liveness.end_grace": a.Liveness.EndGrace, "liveness.start_within": a.Liveness.StartWithin,
		"liveness.callback_only": a.Liveness.CallbackOnly,
	} {
		if d > maxPresence {
			a.refuse(name, "%v is over 12 days", d)
		}
	}
}

// checkRedis sees that all nodes can come to the same list, and to one that is
// theirs alone.
func (a *audit) checkRedis() {
	r := a.Redis
	if len(r.Addrs) == 0 {
		for _, name := range []string{"redis.master_name", "redis.username", "redis.password", "redis.tls", "redis.ca"} {
			if text := a.values[name].text; text != "" && text != "false" {
				a.refuse(name, "it is of no use without redis.addrs")
			}
		}
		return
	}
	for _, addr := range r.Addrs {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			a.refuse("redis.addrs", "%q is no host:port", addr)
		}
	}
	if !isWord(r.Prefix) {
		a.refuse("redis.prefix", "%q is not of A-Z a-z 0-9 _ -", r.Prefix)
	}
	if r.DB != 0 && len(r.Addrs) > 1 && r.MasterName == "" {
		a.refuse("redis.db", "several addresses are a Cluster, which has database 0 alone")
	}
	if r.CA != "" && !r.TLS {
		a.refuse("redis.ca", "it is of no use without redis.tls")
	}
	if a.sound(a.Development...) && len(a.Development) > 0 {
		a.refuse("redis.addrs", "nodes that share a list sign alike, and development secrets are made up by each: give %s",
			strings.Join(a.Development, ", "))
	}
}
