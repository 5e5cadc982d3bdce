package config

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"onair/signing"
)

const (
	minAuthSecret = 32       // bytes, of an HS256 key: the size of its digest
	maxWindow     = 10_000   // streams, bounds limits.window: no viewer uses a longer frame
	maxCode       = 128      // bytes, of a live code
	minBatch      = 16 << 10 // bytes, bounds limits.batch: more than any one command takes

	// As in package presence.
	maxMissed       = 250                 // bounds heartbeat.missed
	maxPresence     = 12 * 24 * time.Hour // bounds interval × missed + grace
	maxOfflinePolls = 1 << 20             // bounds poll.offline_after
)

const wordRule = "must consist of A-Z a-z 0-9 _ -"

// validation is a configuration while it is built, with the errors found so far.
type validation struct {
	*Config
	values  layer
	errs    []error
	invalid map[string]bool // keys that have an error
}

// addFirstError adds an error about a key. It skips a key that has one already: the second
// often follows from the first.
func (v *validation) addFirstError(keyName, format string, args ...any) {
	if v.keysAreValid(keyName) {
		v.invalid[keyName] = true
		v.errs = append(v.errs, v.values.wrapKeyError(keyName, fmt.Errorf(format, args...)))
	}
}

// rejectValue adds an error about the value of a key, and shows the value unless it is a
// secret or may contain a password.
func (v *validation) rejectValue(keyName, format string, args ...any) {
	value := fmt.Sprintf("invalid value %q", v.effective[keyName].text)
	if k, _ := keyByName(keyName); k.form&(secret|credential) != 0 {
		value = "invalid value"
	}
	v.addFirstError(keyName, "%s: %w", value, fmt.Errorf(format, args...))
}

// keysAreValid reports whether none of the keys has an error so far.
func (v *validation) keysAreValid(keyNames ...string) bool {
	return !slices.ContainsFunc(keyNames, func(name string) bool { return v.invalid[name] })
}

// validate checks values against each other and against fixed bounds.
func (v *validation) validate() {
	v.validateAuth()
	v.validateCodeTemplate()
	v.validateDomains()
	v.validateSigners()
	v.validateHeartbeat()
	v.validateDurations()
	v.validateHooks()
	v.validateCloud()
	v.validateRedis()
	v.validateGeneratedSecrets()
	if isListenConflict(v.Listen, v.Ops.Listen) {
		v.rejectValue("ops.listen", "must have another port than listen (%s)", v.Listen)
	}
	if len(v.Redis.Addrs) > 0 && v.values.originOrEmpty("data") != "" {
		v.addFirstError("data", "must not be set beside redis.addrs: the list is stored in one of the two")
	}
	if len(v.Webhooks.Secrets) > 0 && v.Webhooks.URL == "" {
		v.addFirstError("webhooks.secret", "requires webhooks.url")
	}
	if (v.TLS.Cert == "") != (v.TLS.Key == "") {
		v.addFirstError("tls.cert", "must be set together with tls.key")
	}
	if v.Limits.Batch < minBatch {
		v.rejectValue("limits.batch", "must be at least %d bytes: no start would fit", minBatch)
	}
	if len(v.Play.Protocols) == 0 {
		v.addFirstError("play.protocols", "must have at least one protocol")
	}
	if len(v.Lists) == 0 {
		v.addFirstError("lists", "must have at least one list")
	}
	if v.Data == "" {
		v.addFirstError("data", "must not be empty")
	}
}

// validateAuth checks the lengths of secrets.
func (v *validation) validateAuth() {
	if n := len(v.Auth.Secret); n > 0 && n < minAuthSecret {
		v.rejectValue("auth.secret", "must have at least %d bytes, has %d", minAuthSecret, n)
	}
	for _, kid := range slices.Sorted(maps.Keys(v.Auth.Secrets)) {
		if n := len(v.Auth.Secrets[kid]); n < minAuthSecret {
			v.rejectValue("auth.secrets", "the secret of kid %s must have at least %d bytes, has %d", kid, minAuthSecret, n)
		}
	}
}

// validateGeneratedSecrets checks that secrets which were generated, and not because the
// given ones are invalid, serve only this machine and this node.
func (v *validation) validateGeneratedSecrets() {
	if len(v.GeneratedSecrets) == 0 || !v.keysAreValid(v.GeneratedSecrets...) {
		return
	}
	secrets := strings.Join(v.GeneratedSecrets, ", ")
	if !isLoopback(v.Listen) {
		v.rejectValue("listen", "must be a loopback address while development secrets are in use: set %s first", secrets)
	}
	if len(v.Redis.Addrs) > 0 {
		v.addFirstError("redis.addrs", "requires %s: nodes that share a list must use the same secrets, and each would generate its own", secrets)
	}
}

// isListenConflict reports whether two addresses cannot both be listened on: they have the same port,
// and the same host, or one of them is of all hosts.
func isListenConflict(a, b string) bool {
	hostA, portA, _ := net.SplitHostPort(a)
	hostB, portB, _ := net.SplitHostPort(b)
	isAny := func(host string) bool { return host == "" || host == "0.0.0.0" || host == "::" }
	return portA == portB && portA != "0" && (hostA == hostB || isAny(hostA) || isAny(hostB))
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
	if !v.keysAreValid("bizid") {
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
	case !signing.IsName(shortest):
		v.rejectValue("code", "%s and {bizid}, {anchor}, {anchor_hash}, {session}", wordRule)
	case !strings.HasPrefix(code, v.BizID+"_"):
		v.rejectValue("code", "must start with {bizid}_")
	case len(shortest) > maxCode:
		v.rejectValue("code", "must yield live codes of at most %d bytes: the shortest has %d", maxCode, len(shortest))
	}
}

// validateDomains checks the domains of push and play URLs.
func (v *validation) validateDomains() {
	validateDomain := func(name, domain string) {
		if v.keysAreValid("bizid") && !signing.IsDomain(domain) {
			v.rejectValue(name, "%q must be a domain", domain)
		}
	}
	validateDomain("push.domain", v.Push.Domain)
	for _, d := range v.Play.Domains {
		validateDomain("play.domain", d.Name)
	}
}

// validateHeartbeat checks the bounds of a lease.
func (v *validation) validateHeartbeat() {
	h := v.Heartbeat
	if h.Interval%time.Millisecond != 0 {
		v.rejectValue("heartbeat.interval", "must be a whole number of milliseconds")
	}
	if v.keysAreValid("heartbeat.interval") && h.Grace > h.Interval {
		v.rejectValue("heartbeat.grace", "must be at most heartbeat.interval (%v)", h.Interval)
	}
	if v.keysAreValid("heartbeat.missed", "heartbeat.grace") && h.Interval > (maxPresence-h.Grace)/time.Duration(h.Missed) {
		v.rejectValue("heartbeat.interval", "heartbeat.interval × heartbeat.missed (%d) + heartbeat.grace must be at most 12 days", h.Missed)
	}
}

// validateDurations checks durations outside of leases and signers against each other and
// against the bounds of package presence.
func (v *validation) validateDurations() {
	if v.keysAreValid("poll.interval") && v.Liveness.PollBlind < v.Poll.Interval {
		v.rejectValue("liveness.poll_blind", "must be at least %v", v.Poll.Interval)
	}
	if v.keysAreValid("hub.tick") && v.Hub.Counters < v.Hub.Tick {
		v.rejectValue("hub.counters", "must be at least hub.tick (%v)", v.Hub.Tick)
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

// hookEvents are the event names that the path of a callback can end in.
var hookEvents = []string{
	"publish", "publish_done", "play", "play_done", "update", "record_done", "auth", "available", "unavailable", "record",
	"on_publish", "on_unpublish", "on_play", "on_stop", "on_dvr", "on_stream_changed", "on_record_mp4", "on_stream_none_reader",
}

// validateHooks checks that the public cannot call hooks, which end sessions and
// reject pushes.
func (v *validation) validateHooks() {
	for name, h := range map[string]Hook{
		"tencent": v.Hooks.Tencent, "srs": v.Hooks.SRS, "nginx_rtmp": v.Hooks.NginxRTMP, "mediamtx": v.Hooks.MediaMTX, "zlm": v.Hooks.ZLM,
	} {
		key := "hooks." + name
		if h.Secret != "" && !signing.IsName(h.Secret.Reveal()) {
			v.rejectValue(key+".secret", "%s, to be a path segment", wordRule)
		}
		if slices.Contains(hookEvents, h.Secret.Reveal()) {
			v.rejectValue(key+".secret", "must not be the name of an event")
		}
		if h.Enabled && len(h.Allow) == 0 && name != "tencent" {
			v.addFirstError(key+".allow", "must have at least one network: no callback could arrive")
		}
	}
	if h := v.Hooks.Tencent; h.Enabled && h.Secret == "" && v.Hooks.TencentKey == "" && len(h.Allow) == 0 {
		v.addFirstError("hooks.tencent.enabled", "requires hooks.tencent.key or hooks.tencent.secret, best both: anyone could call it")
	}
}

// validateRedis checks that all nodes can reach the same list.
func (v *validation) validateRedis() {
	r := v.Redis
	if len(r.Addrs) == 0 {
		for _, name := range []string{"redis.master_name", "redis.username", "redis.password", "redis.tls", "redis.ca"} {
			if text := v.values[name].text; text != "" && text != "false" {
				v.addFirstError(name, "requires redis.addrs")
			}
		}
		return
	}
	for i, addr := range r.Addrs {
		if _, _, err := net.SplitHostPort(addr); err != nil || strings.ContainsAny(addr, "@/") {
			v.rejectValue("redis.addrs", "address %d must be host:port: user, password and TLS have keys of their own (redis.username, redis.password, redis.tls)", i+1)
		}
	}
	if !signing.IsName(r.Prefix) {
		v.rejectValue("redis.prefix", wordRule)
	}
	isCluster := slices.ContainsFunc(r.Addrs, func(addr string) bool { return addr != r.Addrs[0] })
	if r.DB != 0 && isCluster && r.MasterName == "" {
		v.rejectValue("redis.db", "must be 0: several addresses without redis.master_name are a Redis Cluster")
	}
	if r.CA != "" && !r.TLS {
		v.addFirstError("redis.ca", "requires redis.tls")
	}
}
