package config

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/rs/zerolog"
)

// key is one key of the configuration: its name in the file, its default as
// text, what it means, and how a text becomes a value.
type key struct {
	name   string
	def    string
	help   string
	secret bool // may be given as name_file, a path
	set    func(*Config, string) error
}

// keys are all there are. Flags, environment, file, help and the sample file
// are made from this one table.
var keys = []key{
	{"listen", "127.0.0.1:8080", "address of HTTP and sockets; only loopback while development secrets are in use", false, text(func(c *Config) *string { return &c.Listen })},
	{"origins", "", "foreign Origin patterns whose sockets are let in; the same origin and native apps always are", false, texts(func(c *Config) *[]string { return &c.Origins })},
	{"ops.listen", "127.0.0.1:9090", "address of /metrics, /healthz, /readyz and /debug/pprof", false, text(func(c *Config) *string { return &c.Ops.Listen })},
	{"data", "./data", "directory of the embedded store; memory keeps nothing", false, text(func(c *Config) *string { return &c.Data })},
	{"node", "", "this node's name; empty: host name and random", false, text(func(c *Config) *string { return &c.Node })},
	{"log.level", "info", "debug, info, warn or error", false, func(c *Config, s string) (err error) { c.Log.Level, err = zerolog.ParseLevel(s); return err }},
	{"log.format", "", "console or json; empty: console on a terminal, else json", false, oneOf(func(c *Config) *string { return &c.Log.Format }, "", "console", "json")},
	{"auth.secret", "", "HS256 key that signs tokens, at least 32 bytes; empty: made up for development", true, secret(func(c *Config) *Secret { return &c.Auth.Secret })},
	{"auth.secrets", "", "several HS256 keys by kid, for rotation: kid=secret,kid=secret", true, setSecrets},
	{"auth.jwks_url", "", "URL of a JWK set with keys that sign tokens", false, text(func(c *Config) *string { return &c.Auth.JWKSURL })},
	{"auth.public_key", "", "PEM of an RSA, ECDSA or Ed25519 public key", true, text(func(c *Config) *string { return &c.Auth.PublicKey })},
	{"auth.issuer", "", "what tokens must name as iss; empty: not checked", false, text(func(c *Config) *string { return &c.Auth.Issuer })},
	{"auth.audience", "", "what tokens must name as aud; empty: not checked", false, text(func(c *Config) *string { return &c.Auth.Audience })},
	{"viewer.anonymous", "", "viewers need no token; empty: true with a development secret, else false", false, func(*Config, string) error { return nil }},
	{"bizid", "8888", "what every live code starts with, before an underscore", false, text(func(c *Config) *string { return &c.BizID })},
	{"code", "{bizid}_{anchor}", "template of the live code: {bizid}, {anchor}, {anchor_hash}, {session}", false, text(func(c *Config) *string { return &c.Code })},
	{"lists", "live", "allowed names of lists; the first is the default", false, texts(func(c *Config) *[]string { return &c.Lists })},
	{"list.show", "start", "when a stream is listed: start, or publish: once it was heard", false, oneOf(func(c *Config) *string { return &c.List.Show }, "start", "publish")},
	{"takeover", "newest", "second start of an anchor: newest wins, or refuse while the first is attached", false, oneOf(func(c *Config) *string { return &c.Takeover }, "newest", "refuse")},
	{"heartbeat.interval", "60s", "time between two beats; shorter notices the dead sooner and costs more", false, duration(func(c *Config) *time.Duration { return &c.Heartbeat.Interval })},
	{"heartbeat.missed", "3", "missed beats that end a session", false, number(func(c *Config) *int { return &c.Heartbeat.Missed })},
	{"heartbeat.grace", "", "time for the network after a beat is due; empty: a tenth of the interval, at most 5s", false, optional(duration(func(c *Config) *time.Duration { return &c.Heartbeat.Grace }))},
	{"settings.revision", "1", "raise it when heartbeat, takeover or list.show change, which all nodes share", false, number(func(c *Config) *int64 { return &c.Settings.Revision })},
	{"push.provider", "tencent", "who takes the push", false, oneOf(func(c *Config) *string { return &c.Push.Provider }, "tencent")},
	{"push.domain", "{bizid}.livepush.myqcloud.com", "domain of push URLs", false, text(func(c *Config) *string { return &c.Push.Domain })},
	{"push.app", "live", "path of push URLs", false, text(func(c *Config) *string { return &c.Push.App })},
	{"push.key", "", "key that signs push URLs; empty: made up for development", true, secret(func(c *Config) *Secret { return &c.Push.Key })},
	{"push.backup_key", "", "second key that is accepted", true, secret(func(c *Config) *Secret { return &c.Push.BackupKey })},
	{"push.ttl", "24h", "how long a push may begin; too short: reconnects fail, too long: a leaked URL lives on", false, duration(func(c *Config) *time.Duration { return &c.Push.TTL })},
	{"push.algorithm", "md5", "md5 or sha256", false, oneOf(func(c *Config) *string { return &c.Push.Algorithm }, "md5", "sha256")},
	{"play.provider", "tencent", "who serves the play URLs", false, oneOf(func(c *Config) *string { return &c.Play.Provider }, "tencent")},
	{"play.domain", "{bizid}.liveplay.myqcloud.com", "domains of play URLs, with weights where there are several: a.example.com=3,b.example.com=1", false, setDomains},
	{"play.app", "live", "path of play URLs", false, text(func(c *Config) *string { return &c.Play.App })},
	{"play.key", "", "key that signs play URLs; empty: made up for development", true, secret(func(c *Config) *Secret { return &c.Play.Key })},
	{"play.backup_key", "", "second key that is accepted", true, secret(func(c *Config) *Secret { return &c.Play.BackupKey })},
	{"play.ttl", "2h", "how long a play URL holds at the most; at the least half of it", false, duration(func(c *Config) *time.Duration { return &c.Play.TTL })},
	{"play.delta", "0s", "validity that the play domain adds to txTime", false, duration(func(c *Config) *time.Duration { return &c.Play.Delta })},
	{"play.protocols", "rtmp,flv,hls", "protocols of play URLs: rtmp, flv, hls, webrtc", false, texts(func(c *Config) *[]string { return &c.Play.Protocols })},
	{"play.templates", "", "transcoding suffixes by name: hd=550,sd=900", false, setTemplates},
	{"play.algorithm", "md5", "md5 or sha256", false, oneOf(func(c *Config) *string { return &c.Play.Algorithm }, "md5", "sha256")},
	{"hub.tick", "250ms", "least time between two diffs of a view", false, duration(func(c *Config) *time.Duration { return &c.Hub.Tick })},
	{"hub.counters", "2s", "least time between two diffs for viewers and likes alone", false, duration(func(c *Config) *time.Duration { return &c.Hub.Counters })},
	{"idle", "25s", "silence on a view before an empty diff keeps its line alive", false, duration(func(c *Config) *time.Duration { return &c.Idle })},
	{"limits.message", "16KiB", "largest message on an anchor socket", false, size(func(c *Config) *int { return &c.Limits.Message })},
	{"limits.viewer_message", "64KiB", "largest message on a viewer socket", false, size(func(c *Config) *int { return &c.Limits.ViewerMessage })},
	{"limits.rate", "20", "messages a second on one socket", false, number(func(c *Config) *float64 { return &c.Limits.Rate })},
	{"limits.burst", "40", "messages at once on one socket", false, number(func(c *Config) *int { return &c.Limits.Burst })},
	{"limits.sockets", "18000", "sockets in all; fewer where the process may open fewer files", false, number(func(c *Config) *int { return &c.Limits.Sockets })},
	{"limits.sockets_per_address", "1000", "sockets from one address", false, number(func(c *Config) *int { return &c.Limits.SocketsPerAddress })},
	{"limits.views_per_socket", "8", "views that one socket may have", false, number(func(c *Config) *int { return &c.Limits.ViewsPerSocket })},
	{"limits.views", "20000", "different views in all", false, number(func(c *Config) *int { return &c.Limits.Views })},
	{"limits.watches_per_socket", "8", "streams that one socket may watch", false, number(func(c *Config) *int { return &c.Limits.WatchesPerSocket })},
	{"limits.window", "500", "largest limit of a query, at most 10000", false, number(func(c *Config) *int { return &c.Limits.Window })},
	{"limits.snapshots_per_socket", "1/s", "snapshots that one socket gets", false, rate(func(c *Config) *float64 { return &c.Limits.SnapshotsPerSocket })},
	{"limits.streams", "1000000", "live streams in all", false, number(func(c *Config) *int { return &c.Limits.Streams })},
	{"drain", "20s", "how long a stopping node takes to hand over its sockets", false, duration(func(c *Config) *time.Duration { return &c.Drain })},
}

type setter = func(*Config, string) error

func text(at func(*Config) *string) setter {
	return func(c *Config, s string) error { *at(c) = s; return nil }
}

func texts(at func(*Config) *[]string) setter {
	return func(c *Config, s string) error { *at(c) = split(s); return nil }
}

func secret(at func(*Config) *Secret) setter {
	return func(c *Config, s string) error { *at(c) = Secret(s); return nil }
}

func optional(set setter) setter {
	return func(c *Config, s string) error {
		if s == "" {
			return nil
		}
		return set(c, s)
	}
}

func oneOf(at func(*Config) *string, words ...string) setter {
	return func(c *Config, s string) error {
		if !slices.Contains(words, s) {
			return fmt.Errorf("%q is none of %s", s, strings.TrimPrefix(strings.Join(words, ", "), ", "))
		}
		*at(c) = s
		return nil
	}
}

func duration(at func(*Config) *time.Duration) setter {
	return func(c *Config, s string) (err error) {
		if *at(c), err = time.ParseDuration(s); err != nil {
			return fmt.Errorf("%q is no duration, such as 60s", s)
		}
		if *at(c) < 0 {
			return fmt.Errorf("%q is negative", s)
		}
		return nil
	}
}

func number[T int | int64 | float64](at func(*Config) *T) setter {
	return func(c *Config, s string) error {
		var rest string
		if n, _ := fmt.Sscanf(s+"\n", "%v%s", at(c), &rest); n != 1 || *at(c) < 1 {
			return fmt.Errorf("%q is no number from 1 on", s)
		}
		return nil
	}
}

func size(at func(*Config) *int) setter {
	return func(c *Config, s string) error {
		n, err := humanize.ParseBytes(s)
		if err != nil || n < 1 || n > 1<<30 {
			return fmt.Errorf("%q is no size, such as 16KiB", s)
		}
		*at(c) = int(n)
		return nil
	}
}

func rate(at func(*Config) *float64) setter {
	return func(c *Config, s string) error {
		perSecond, ok := strings.CutSuffix(s, "/s")
		if !ok {
			return fmt.Errorf("%q is no rate, such as 1/s", s)
		}
		return number(at)(c, perSecond)
	}
}

// split reads a comma-separated list.
func split(s string) []string {
	var out []string
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// pairs reads a comma-separated list of name=value.
func pairs(s string) (names, values []string, err error) {
	for _, part := range split(s) {
		name, value, ok := strings.Cut(part, "=")
		if !ok || name == "" || value == "" || slices.Contains(names, name) {
			return nil, nil, fmt.Errorf("it is no list of different name=value")
		}
		names, values = append(names, name), append(values, value)
	}
	return names, values, nil
}

func setSecrets(c *Config, s string) error {
	names, values, err := pairs(s)
	for i, name := range names {
		if c.Auth.Secrets == nil {
			c.Auth.Secrets = map[string]Secret{}
		}
		c.Auth.Secrets[name] = Secret(values[i])
	}
	return err
}

func setTemplates(c *Config, s string) error {
	names, values, err := pairs(s)
	for i, name := range names {
		if c.Play.Templates == nil {
			c.Play.Templates = map[string]string{}
		}
		c.Play.Templates[name] = values[i]
	}
	return err
}

func setDomains(c *Config, s string) error {
	c.Play.Domains = nil
	for _, part := range split(s) {
		name, weight, weighted := strings.Cut(part, "=")
		d := Weighted{Name: name, Weight: 1}
		if weighted {
			var rest string
			if n, _ := fmt.Sscanf(weight+"\n", "%d%s", &d.Weight, &rest); n != 1 || d.Weight < 1 {
				return fmt.Errorf("%q has no weight from 1 on", part)
			}
		}
		c.Play.Domains = append(c.Play.Domains, d)
	}
	if len(c.Play.Domains) == 0 {
		return fmt.Errorf("it names no domain")
	}
	return nil
}

// hostName is the name of this machine, for the node's own.
func hostName() string {
	name, err := os.Hostname()
	if err != nil {
		return "node"
	}
	return name
}
