package config

import (
	"net"
	"strings"
	"time"
)

// minSecret is the shortest HS256 key, in bytes: as long as its digest.
const minSecret = 32

// maxWindow bounds limits.window: a frame of more entries helps nobody.
const maxWindow = 10_000

// check says what does not fit together, by bad.
func (c *Config) check(bad func(name, format string, args ...any)) {
	c.checkAddresses(bad)
	c.checkSecrets(bad)
	c.checkCode(bad)
	c.checkTimes(bad)
	if c.Limits.Window > maxWindow {
		bad("limits.window", "%d is over %d", c.Limits.Window, maxWindow)
	}
	if len(c.Lists) == 0 {
		bad("lists", "it names no list")
	}
	if len(c.Play.Protocols) == 0 {
		bad("play.protocols", "it names no protocol")
	}
}

func (c *Config) checkAddresses(bad func(name, format string, args ...any)) {
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		bad("listen", "%q is no host:port", c.Listen)
	} else if len(c.Development) > 0 && !loopback(c.Listen) {
		bad("listen", "%s is not loopback, and development secrets are in use: give %s first",
			c.Listen, strings.Join(c.Development, ", "))
	}
	if _, _, err := net.SplitHostPort(c.Ops.Listen); err != nil {
		bad("ops.listen", "%q is no host:port", c.Ops.Listen)
	}
	if c.Data == "" {
		bad("data", "it is empty")
	}
}

func (c *Config) checkSecrets(bad func(name, format string, args ...any)) {
	if n := len(c.Auth.Secret); n > 0 && n < minSecret {
		bad("auth.secret", "it has %d bytes, and needs %d", n, minSecret)
	}
	for kid, s := range c.Auth.Secrets {
		if len(s) < minSecret {
			bad("auth.secrets", "that of kid %s has %d bytes, and needs %d", kid, len(s), minSecret)
		}
	}
}

func (c *Config) checkCode(bad func(name, format string, args ...any)) {
	notWord := func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '-')
	}
	if c.BizID == "" || strings.ContainsFunc(c.BizID, notWord) {
		bad("bizid", "%q is not of A-Z a-z 0-9 _ -", c.BizID)
	}
	rest := c.Code
	own := false
	for _, name := range []string{"{anchor}", "{anchor_hash}", "{session}"} {
		own = own || strings.Contains(rest, name)
		rest = strings.ReplaceAll(rest, name, "")
	}
	rest = strings.ReplaceAll(rest, "{bizid}", c.BizID)
	switch {
	case !own:
		bad("code", "%q gives every anchor the same live code: it needs {anchor}, {anchor_hash} or {session}", c.Code)
	case strings.ContainsFunc(rest, notWord):
		bad("code", "%q holds what a live code may not: it is of A-Z a-z 0-9 _ - and {bizid}, {anchor}, {anchor_hash}, {session}", c.Code)
	case len(rest) > 100:
		bad("code", "%q is too long: a live code has at most 128 bytes", c.Code)
	case !strings.HasPrefix(strings.ReplaceAll(c.Code, "{bizid}", c.BizID), c.BizID+"_"):
		bad("code", "%q does not start with {bizid}_", c.Code)
	}
}

func (c *Config) checkTimes(bad func(name, format string, args ...any)) {
	h := c.Heartbeat
	switch {
	case h.Interval < 100*time.Millisecond:
		bad("heartbeat.interval", "%v is under 100ms", h.Interval)
	case h.Interval%time.Millisecond != 0:
		bad("heartbeat.interval", "%v is no whole number of milliseconds", h.Interval)
	case h.Missed > 250:
		bad("heartbeat.missed", "%d is over 250", h.Missed)
	case h.Interval*time.Duration(h.Missed) > 12*24*time.Hour:
		bad("heartbeat.interval", "%v times %d missed beats is over 12 days", h.Interval, h.Missed)
	}
	if h.Grace > h.Interval {
		bad("heartbeat.grace", "%v is longer than the interval of %v", h.Grace, h.Interval)
	}
	if c.Hub.Tick < time.Millisecond {
		bad("hub.tick", "%v is under 1ms", c.Hub.Tick)
	}
	if c.Hub.Counters < c.Hub.Tick {
		bad("hub.counters", "%v is shorter than hub.tick of %v", c.Hub.Counters, c.Hub.Tick)
	}
	if c.Idle < time.Second {
		bad("idle", "%v is under 1s", c.Idle)
	}
	if c.Push.TTL < time.Second {
		bad("push.ttl", "%v is under 1s", c.Push.TTL)
	}
	if c.Play.TTL < 2*time.Second {
		bad("play.ttl", "%v is under 2s", c.Play.TTL)
	}
	if c.Play.Delta >= c.Play.TTL {
		bad("play.delta", "%v is not shorter than play.ttl of %v", c.Play.Delta, c.Play.TTL)
	}
}
