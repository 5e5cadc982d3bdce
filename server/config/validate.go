package config

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	minAuthSecret = 32       // bytes, of an HS256 key: the size of its digest
	maxWindow     = 10_000   // streams, bounds limits.window: no viewer uses a longer frame
	maxCode       = 128      // bytes, of a live code
	minBatch      = 16 << 10 // bytes, bounds limits.batch: more than any one command takes

	maxMissed   = 250                 // bounds heartbeat.missed, as in package presence
	maxPresence = 12 * 24 * time.Hour // bounds interval × missed + grace, as in package presence
)

const wordRule = "must consist of A-Z a-z 0-9 _ -"

// validation is a configuration while it is built, with the errors found so far.
type validation struct {
	*Config
	values  layer
	errs    []error
	invalid map[string]bool // keys that have an error
}

// addError adds an error about a key. It skips a key that has one already: the second
// often follows from the first.
func (v *validation) addError(name, format string, args ...any) {
	if v.keysAreValid(name) {
		v.invalid[name] = true
		v.errs = append(v.errs, v.values.keyError(name, fmt.Errorf(format, args...)))
	}
}

// rejectValue adds an error about the value of a key, and shows the value unless it is a
// secret or may contain a password.
func (v *validation) rejectValue(name, format string, args ...any) {
	value := fmt.Sprintf("invalid value %q", v.effective[name].text)
	if k, _ := keyByName(name); k.form&(secret|credential) != 0 {
		value = "invalid value"
	}
	v.addError(name, "%s: %w", value, fmt.Errorf(format, args...))
}

// keysAreValid reports whether none of the keys has an error so far.
func (v *validation) keysAreValid(names ...string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return v.invalid[name] })
}

// validate checks values against each other and against fixed bounds.
func (v *validation) validate() {
	v.validateAuth()
	v.validateListeners()
	v.validateCodeTemplate()
	v.validateURLParts()
	v.validateSigners()
	v.validateHeartbeat()
	v.validateDurations()
	v.validateHooks()
	v.validateCloud()
	v.validateRedis()
	if (v.TLS.Cert == "") != (v.TLS.Key == "") {
		v.addError("tls.cert", "must be set together with tls.key")
	}
	if v.Limits.Batch < minBatch {
		v.rejectValue("limits.batch", "must be at least %d bytes: no start would fit", minBatch)
	}
	if v.Limits.Window > maxWindow {
		v.rejectValue("limits.window", "must be at most %d", maxWindow)
	}
	if len(v.Lists) == 0 {
		v.addError("lists", "must have at least one list")
	}
	if v.Data == "" {
		v.addError("data", "must not be empty")
	}
}

// validateAuth checks the lengths of keys, and sets the default of viewer.anonymous.
func (v *validation) validateAuth() {
	if n := len(v.Auth.Secret); n > 0 && n < minAuthSecret {
		v.rejectValue("auth.secret", "must have at least %d bytes, has %d", minAuthSecret, n)
	}
	for _, kid := range slices.Sorted(maps.Keys(v.Auth.Secrets)) {
		if n := len(v.Auth.Secrets[kid]); n < minAuthSecret {
			v.rejectValue("auth.secrets", "the secret of kid %s must have at least %d bytes, has %d", kid, minAuthSecret, n)
		}
	}
	if u := v.Auth.JWKSURL; u != "" && !isHTTPURL(u) {
		v.rejectValue("auth.jwks_url", "%w", errNoHTTPURL)
	}
	if v.values["viewer.anonymous"].text == "" {
		v.Viewer.Anonymous = slices.Contains(v.GeneratedSecrets, "auth.secret")
	}
}

// validateListeners checks addresses, and that generated secrets serve only this
// machine.
func (v *validation) validateListeners() {
	for _, l := range []struct{ name, address string }{{"listen", v.Listen}, {"ops.listen", v.Ops.Listen}} {
		_, port, err := net.SplitHostPort(l.address)
		if err == nil {
			_, err = strconv.ParseUint(port, 10, 16)
		}
		if err != nil {
			v.rejectValue(l.name, "must be host:port")
		}
	}
	if v.hasGeneratedSecrets() && !isLoopback(v.Listen) {
		v.rejectValue("listen", "must be a loopback address while development secrets are in use: set %s first",
			strings.Join(v.GeneratedSecrets, ", "))
	}
}

// hasGeneratedSecrets reports whether secrets were generated, and not only because the
// given ones are invalid.
func (v *validation) hasGeneratedSecrets() bool {
	return len(v.GeneratedSecrets) > 0 && v.keysAreValid(v.GeneratedSecrets...)
}

// isLoopback reports whether only this machine can reach an address.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// validateCodeTemplate checks that the template yields valid live codes, a different
// one for each anchor or session.
func (v *validation) validateCodeTemplate() {
	if !isURLSafe(v.BizID) {
		v.rejectValue("bizid", wordRule)
		return
	}
	// Each variable is replaced by the shortest text that it can have.
	code := strings.ReplaceAll(v.Code, "{bizid}", v.BizID)
	shortest := strings.NewReplacer(
		"{anchor}", "a", "{anchor_hash}", strings.Repeat("h", 20), "{session}", strings.Repeat("s", 26),
	).Replace(code)
	switch {
	case shortest == code:
		v.rejectValue("code", "must contain {anchor}, {anchor_hash} or {session}: all anchors would have the same live code")
	case !isURLSafe(shortest):
		v.rejectValue("code", "%s and {bizid}, {anchor}, {anchor_hash}, {session}", wordRule)
	case !strings.HasPrefix(code, v.BizID+"_"):
		v.rejectValue("code", "must start with {bizid}_")
	case len(shortest) > maxCode:
		v.rejectValue("code", "must yield live codes of at most %d bytes: the shortest has %d", maxCode, len(shortest))
	}
}

// validateURLParts checks the domains and paths of push and play URLs.
func (v *validation) validateURLParts() {
	isNotDomainRune := func(r rune) bool { return isNotURLSafeRune(r) && !strings.ContainsRune(".:[]", r) }
	validateDomain := func(name, domain string) {
		if v.keysAreValid("bizid") && (domain == "" || strings.ContainsFunc(domain, isNotDomainRune)) {
			v.rejectValue(name, "%q must be a domain", domain)
		}
	}
	validateDomain("push.domain", v.Push.Domain)
	for _, d := range v.Play.Domains {
		validateDomain("play.domain", d.Name)
	}
	if !isURLSafe(v.Push.App) {
		v.rejectValue("push.app", wordRule)
	}
	if !isURLSafe(v.Play.App) {
		v.rejectValue("play.app", wordRule)
	}
	if len(v.Play.Protocols) == 0 {
		v.addError("play.protocols", "must have at least one protocol")
	}
}

// validateHeartbeat checks the bounds of a lease.
func (v *validation) validateHeartbeat() {
	h := v.Heartbeat
	switch {
	case h.Interval < 100*time.Millisecond:
		v.rejectValue("heartbeat.interval", "must be at least 100ms")
	case h.Interval%time.Millisecond != 0:
		v.rejectValue("heartbeat.interval", "must be a whole number of milliseconds")
	}
	if h.Missed > maxMissed {
		v.rejectValue("heartbeat.missed", "must be at most %d", maxMissed)
	}
	if v.keysAreValid("heartbeat.interval") && h.Grace > h.Interval {
		v.rejectValue("heartbeat.grace", "must be at most heartbeat.interval (%v)", h.Interval)
	}
	if v.keysAreValid("heartbeat.missed", "heartbeat.grace") && h.Interval > (maxPresence-h.Grace)/time.Duration(h.Missed) {
		v.rejectValue("heartbeat.interval", "heartbeat.interval × heartbeat.missed (%d) + heartbeat.grace must be at most 12 days", h.Missed)
	}
}

// durationBound is the least value of a duration.
type durationBound struct {
	name           string
	value, minimum time.Duration
}

func (v *validation) validateMinimums(bounds ...durationBound) {
	for _, b := range bounds {
		if b.value < b.minimum {
			v.rejectValue(b.name, "must be at least %v", b.minimum)
		}
	}
}

func (v *validation) validateDurations() {
	v.validateMinimums(
		durationBound{"flight.latency", v.Flight.Latency, time.Millisecond},
		durationBound{"hub.tick", v.Hub.Tick, time.Millisecond},
		durationBound{"idle", v.Idle, time.Second},
		durationBound{"push.ttl", v.Push.TTL, time.Second},
		durationBound{"play.ttl", v.Play.TTL, 2 * time.Second},
		durationBound{"vod.ttl", v.VOD.TTL, time.Second},
		durationBound{"liveness.start_within", v.Liveness.StartWithin, time.Second},
		durationBound{"liveness.callback_only", v.Liveness.CallbackOnly, time.Second},
	)
	if v.keysAreValid("hub.tick") && v.Hub.Counters < v.Hub.Tick {
		v.rejectValue("hub.counters", "must be at least hub.tick (%v)", v.Hub.Tick)
	}
}

// hookEvents are the event names that the path of a callback can end in.
var hookEvents = []string{
	"publish", "publish_done", "play", "play_done", "update", "record_done", "auth", "available", "unavailable", "record",
	"on_publish", "on_unpublish", "on_play", "on_stop", "on_dvr", "on_stream_changed", "on_record_mp4", "on_stream_none_reader",
}

// validateHooks checks that the public cannot call hooks, which end sessions and
// rejectValue pushes.
func (v *validation) validateHooks() {
	for name, h := range map[string]Hook{
		"tencent": v.Hooks.Tencent, "srs": v.Hooks.SRS, "nginx_rtmp": v.Hooks.NginxRTMP, "mediamtx": v.Hooks.MediaMTX, "zlm": v.Hooks.ZLM,
	} {
		key := "hooks." + name
		if h.Secret != "" && !isURLSafe(h.Secret.Reveal()) {
			v.rejectValue(key+".secret", "%s, to be a path segment", wordRule)
		}
		if slices.Contains(hookEvents, h.Secret.Reveal()) {
			v.rejectValue(key+".secret", "must not be the name of an event")
		}
		if h.Enabled && len(h.Allow) == 0 && name != "tencent" {
			v.addError(key+".allow", "must have at least one network: no callback could arrive")
		}
	}
	if h := v.Hooks.Tencent; h.Enabled && h.Secret == "" && v.Hooks.TencentKey == "" && len(h.Allow) == 0 {
		v.addError("hooks.tencent.enabled", "requires hooks.tencent.key or hooks.tencent.secret, best both: anyone could call it")
	}
	for name, d := range map[string]time.Duration{
		"liveness.end_grace": v.Liveness.EndGrace, "liveness.start_within": v.Liveness.StartWithin,
		"liveness.callback_only": v.Liveness.CallbackOnly,
	} {
		if d > maxPresence {
			v.rejectValue(name, "must be at most 12 days")
		}
	}
}

// validateRedis checks that all nodes can reach the same list and sign alike.
func (v *validation) validateRedis() {
	r := v.Redis
	if len(r.Addrs) == 0 {
		for _, name := range []string{"redis.master_name", "redis.username", "redis.password", "redis.tls", "redis.ca"} {
			if text := v.values[name].text; text != "" && text != "false" {
				v.addError(name, "requires redis.addrs")
			}
		}
		return
	}
	for _, addr := range r.Addrs {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			v.rejectValue("redis.addrs", "%q must be host:port", addr)
		}
	}
	if !isURLSafe(r.Prefix) {
		v.rejectValue("redis.prefix", wordRule)
	}
	if r.DB != 0 && len(r.Addrs) > 1 && r.MasterName == "" {
		v.rejectValue("redis.db", "must be 0: several addresses without redis.master_name are a Redis Cluster")
	}
	if r.CA != "" && !r.TLS {
		v.addError("redis.ca", "requires redis.tls")
	}
	if v.hasGeneratedSecrets() {
		v.addError("redis.addrs", "requires %s: nodes that share a list must use the same secrets, and each would generate its own",
			strings.Join(v.GeneratedSecrets, ", "))
	}
}
