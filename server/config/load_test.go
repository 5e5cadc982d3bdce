package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// key32 is as short as an HS256 key may be.
const key32 = "0123456789abcdef0123456789abcdef"

// input is what a configuration is loaded from.
type input struct {
	file string
	env  []string
	args []string
}

// load loads in a directory of its own, where the file is onair.yaml.
func (in input) load(t *testing.T) (*Config, error) {
	t.Helper()
	t.Chdir(t.TempDir())
	if in.file != "" {
		write(t, DefaultFile, in.file)
	}
	return Load(in.args, in.env)
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path, err := filepath.Abs(name)
	if err == nil {
		err = os.WriteFile(path, []byte(text), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func flags(args ...string) input { return input{args: args} }
func yamlFile(text string) input { return input{file: text} }
func env(lines ...string) input  { return input{env: lines} }

// sharing is flags of a node that signs as others do.
func sharing(args ...string) input {
	return flags(append(args, "--auth.secret", strings.Repeat("s", 32), "--push.key", "p", "--play.key", "p")...)
}

// TestRefusals: the whole message, which names the source and the key.
func TestRefusals(t *testing.T) {
	for want, in := range map[string]input{
		// Keys nobody knows.
		`onair.yaml: heartbeat.rhythm: there is no such key`:                      yamlFile("heartbeat:\n  rhythm: 1s"),
		`onair.yaml: heart.beat: there is no such key`:                            yamlFile("heart.beat: 1s"),
		`onair.yaml: heartbeat: it must hold the keys that begin with heartbeat.`: yamlFile("heartbeat: 60s"),
		`ONAIR_HEARTBEAT: there is no such key`:                                   env("ONAIR_HEARTBEAT=60s"),
		`ONAIR_LISTEN_FILE: there is no such key`:                                 env("ONAIR_LISTEN_FILE=/x"),
		`unknown flag: --heartbeat`:                                               flags("--heartbeat", "60s"),
		`"60s" is no flag`:                                                        flags("60s"),
		`--config: open none.yaml: no such file or directory`:                     flags("--config", "none.yaml"),
		// Values that cannot be read.
		`ONAIR_IDLE: idle: "soon" is no duration, such as 60s`:                           env("ONAIR_IDLE=soon"),
		`--idle: idle: "-1s" is negative`:                                                flags("--idle", "-1s"),
		`onair.yaml: heartbeat.missed: "0" is no number from 1 on`:                       yamlFile("heartbeat: {missed: 0}"),
		`onair.yaml: limits.views: "1e3" is no number from 1 on`:                         yamlFile("limits.views: 1e3"),
		`--limits.rate: limits.rate: "NaN" is no number over 0`:                          flags("--limits.rate", "NaN"),
		`--limits.rate: limits.rate: "Inf" is no number over 0`:                          flags("--limits.rate", "Inf"),
		`--limits.message: limits.message: "2GiB" is no size, such as 16KiB, up to 1GiB`: flags("--limits.message", "2GiB"),
		`--limits.snapshots-per-socket: limits.snapshots_per_socket: "1" is no rate, such as 1/s`: flags(
			"--limits.snapshots-per-socket", "1"),
		`--viewer.anonymous: viewer.anonymous: "yes" is neither true nor false`:            flags("--viewer.anonymous", "yes"),
		`--log.level: log.level: "loud" is none of debug, info, warn, error`:               flags("--log.level", "loud"),
		`--log.format: log.format: "xml" is none of console, json`:                         flags("--log.format", "xml"),
		`--list.show: list.show: "later" is none of start, publish`:                        flags("--list.show", "later"),
		`--push.provider: push.provider: "mine" is none of ` + strings.Join(Signers, ", "): flags("--push.provider", "mine"),
		`--origins: origins: "[" is no pattern, such as *.example.com`:                     flags("--origins", "["),
		`--lists: lists: it names "a" twice`:                                               flags("--lists", "a,b,a"),
		`--play.protocols: play.protocols: "dash" is none of rtmp, flv, hls, webrtc`: flags(
			"--play.protocols", "hls,dash"),
		`--play.domain: play.domain: "a=2000" has no weight from 1 on, at most 1000`: flags("--play.domain", "a=2000"),
		`--play.templates: play.templates: the name "HD" is not of a-z 0-9 _ -`:      flags("--play.templates", "HD=1"),
		// Redis.
		`--redis.password: redis.password: it is of no use without redis.addrs`: flags("--redis.password", "x"),
		`--redis.addrs: redis.addrs: "redis" is no host:port`:                   flags("--redis.addrs", "redis"),
		`--redis.addrs: redis.addrs: nodes that share a list sign alike, and development secrets are made up by each: give auth.secret, push.key, play.key`: flags(
			"--redis.addrs", "r:1"),
		`--redis.db: redis.db: several addresses are a Cluster, which has database 0 alone`: sharing("--redis.addrs", "r:1,r:2", "--redis.db", "1"),
		`--redis.db: redis.db: "-1" is no number from 0 on`:                                 flags("--redis.db", "-1"),
		`--redis.prefix: redis.prefix: "{a}" is not of A-Z a-z 0-9 _ -`:                     sharing("--redis.addrs", "r:1", "--redis.prefix", "{a}"),
		`--redis.ca: redis.ca: it is of no use without redis.tls`:                           sharing("--redis.addrs", "r:1", "--redis.ca", "x"),
		// Forms that a key does not have.
		`onair.yaml: node: its value has the wrong form: one plain value is asked for`:   yamlFile("node: [a, b]"),
		`onair.yaml: lists: its value has the wrong form: a list is asked for`:           yamlFile("lists: {a: b}"),
		`onair.yaml: auth.secrets: its value has the wrong form: a mapping is asked for`: yamlFile("auth.secrets: [a]"),
		`onair.yaml: auth.secrets: its parts must be plain values without commas, its names without =`: yamlFile(
			"auth.secrets:\n  a: 'x,b=y'"),
		`onair.yaml: idle: it is given twice`:                                yamlFile("idle: 1s\nidle: 2s"),
		`onair.yaml: hub.tick: it is given twice`:                            yamlFile("hub.tick: 1s\nhub: {tick: 1s}"),
		`onair.yaml: it is no mapping of keys to values`:                     yamlFile("- idle"),
		`onair.yaml: there is something after the end of its first document`: yamlFile("idle: 1s\n---\nidle: 2s"),
		`onair.yaml: hub: line 1: a key must be a plain word`:                yamlFile("hub: {[a]: b}"),
		`onair.yaml: idle: its value has the wrong form: one plain value is asked for`: yamlFile(
			"drain: &a 2s\nidle: *a"),
		// What does not fit together.
		`onair.yaml: heartbeat.interval: 99ms is under 100ms`:                          yamlFile("heartbeat: {interval: 99ms}"),
		`--heartbeat.grace: heartbeat.grace: 2m0s is longer than the interval of 1m0s`: flags("--heartbeat.grace", "2m"),
		`--heartbeat.missed: heartbeat.missed: 251 is over 250`:                        flags("--heartbeat.missed", "251"),
		`--hub.counters: hub.counters: 100ms is shorter than hub.tick of 250ms`:        flags("--hub.counters", "100ms"),
		`--hub.tick: hub.tick: 0s is under 1ms`:                                        flags("--hub.tick", "0s"),
		`--limits.window: limits.window: 10001 is over 10000`:                          flags("--limits.window", "10001"),
		`--play.delta: play.delta: 2h0m0s is not shorter than play.ttl of 2h0m0s`:      flags("--play.delta", "2h"),
		`--push.domain: push.domain: "https://x" is no domain`:                         flags("--push.domain", "https://x"),
		`--play.app: play.app: "" is not of A-Z a-z 0-9 _ -`:                           flags("--play.app", ""),
		`--listen: listen: "8080" is no host:port`:                                     flags("--listen", "8080"),
		`--ops.listen: ops.listen: "x:99999" is no host:port`:                          flags("--ops.listen", "x:99999"),
		`--auth.jwks-url: auth.jwks_url: it is no http or https URL`:                   flags("--auth.jwks-url", "idp"),
		`ONAIR_LISTEN: listen: :80 is not loopback, and development secrets are in use: give push.key, play.key first`: env(
			"ONAIR_LISTEN=:80", "ONAIR_AUTH_SECRET="+key32),
		`--code: code: "{bizid}_x" gives every anchor the same live code: it needs {anchor}, {anchor_hash} or {session}`: flags(
			"--code", "{bizid}_x"),
		`--code: code: "{anchor}_{bizid}" does not start with {bizid}_`: flags("--code", "{anchor}_{bizid}"),
		`--code: code: "{bizid}_{user}{anchor}" holds what a live code may not: ` +
			`it is of A-Z a-z 0-9 _ - and {bizid}, {anchor}, {anchor_hash}, {session}`: flags("--code", "{bizid}_{user}{anchor}"),
		`--code: code: "{bizid}_` + strings.Repeat("x", 98) + `{session}" gives live codes of 129 bytes or more: they have at most 128`: flags(
			"--code", "{bizid}_"+strings.Repeat("x", 98)+"{session}"),
		// Secrets, which no message shows.
		`--auth.secret: auth.secret: it has 31 bytes, and needs 32`:             flags("--auth.secret", key32[1:]),
		`--auth.secrets: auth.secrets: that of kid b has 1 bytes, and needs 32`: flags("--auth.secrets", "a="+key32+",b=x"),
		`--auth.secrets: auth.secrets: it is no list of different name=value`:   flags("--auth.secrets", key32+"=="),
		`onair.yaml: a value begins with * and is not quoted`:                   yamlFile("auth.secret: *" + key32),
		`ONAIR_AUTH_SECRET: auth.secret: is given, and auth.secret_file too: give one of the two`: {
			file: "# " + key32, env: []string{"ONAIR_AUTH_SECRET=" + key32, "ONAIR_AUTH_SECRET_FILE=" + DefaultFile},
		},
		`--push.key-file: push.key: its file cannot be read: open none: no such file or directory`: flags("--push.key-file", "none"),
		`--push.key-file: push.key: its file /dev/null is empty`:                                   flags("--push.key-file", "/dev/null"),
	} {
		t.Run(want, func(t *testing.T) {
			if _, err := in.load(t); err == nil || err.Error() != want {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestRefusesAllAtOnce: a malformed value hides no contradiction elsewhere, and
// what follows from a fault is not reported as one.
func TestRefusesAllAtOnce(t *testing.T) {
	_, err := input{
		file: "hub.tick: x\nnonsense: 1\nlimits: {window: 10001}",
		env:  []string{"ONAIR_NONSENSE=1", "ONAIR_PUSH_KEY_FILE=none"},
		args: []string{"--hub.counters", "1ms", "--listen", ":80", "--heartbeat.grace", "2m"},
	}.load(t)
	want := []string{
		`onair.yaml: nonsense: there is no such key`,
		`ONAIR_NONSENSE: there is no such key`,
		`ONAIR_PUSH_KEY_FILE: push.key: its file cannot be read: open none: no such file or directory`,
		`onair.yaml: hub.tick: "x" is no duration, such as 60s`,
		`--heartbeat.grace: heartbeat.grace: 2m0s is longer than the interval of 1m0s`,
		`onair.yaml: limits.window: 10001 is over 10000`,
	}
	if err == nil || err.Error() != strings.Join(want, "\n") {
		t.Errorf("got\n%v\nwant\n%s", err, strings.Join(want, "\n"))
	}
}

// TestStrongestSourceCounts, key by key and in either form of a secret.
func TestStrongestSourceCounts(t *testing.T) {
	in := input{
		file: "idle: 11s\ndrain: 11s\nhub: {tick: 11ms}\npush: {key: file}\nplay.key: file",
		env:  []string{"ONAIR_IDLE=12s", "ONAIR_DRAIN=12s", "ONAIR_PUSH_KEY=env", "ONAIR_TEST_X=1", "HOME=/"},
		args: []string{"--idle=13s", "--play.key-file=" + write(t, filepath.Join(t.TempDir(), "key"), "flag\r\n")},
	}
	c, err := in.load(t)
	if err != nil {
		t.Fatal(err)
	}
	if c.Idle != 13*time.Second || c.Drain != 12*time.Second || c.Hub.Tick != 11*time.Millisecond || c.Hub.Counters != 2*time.Second {
		t.Errorf("idle %v, drain %v, hub %+v", c.Idle, c.Drain, c.Hub)
	}
	if c.Push.Key.Reveal() != "env" || c.Play.Key.Reveal() != "flag" {
		t.Errorf("push.key %q, play.key %q", c.Push.Key.Reveal(), c.Play.Key.Reveal())
	}
}

// TestFileTakesValuesAsWritten: YAML's own ideas of numbers and times do not
// count, and every form of a list and a mapping does.
func TestFileTakesValuesAsWritten(t *testing.T) {
	c, err := yamlFile(`
bizid: 0123
node: 2020-01-01
log.level: debug
idle: # null leaves the default
lists: [a, 1.10]
play:
  domain: {a.example.com: 3, b.example.com: 1}
  protocols: hls,flv
auth.secrets:
  old: ` + key32 + `
`).load(t)
	if err != nil {
		t.Fatal(err)
	}
	if c.BizID != "0123" || c.Node != "2020-01-01" || c.Idle != 25*time.Second || !slices.Equal(c.Lists, []string{"a", "1.10"}) {
		t.Errorf("bizid %q, node %q, idle %v, lists %q", c.BizID, c.Node, c.Idle, c.Lists)
	}
	if !slices.Equal(c.Play.Domains, []Weighted{{"a.example.com", 3}, {"b.example.com", 1}}) || !slices.Equal(c.Play.Protocols, []string{"hls", "flv"}) {
		t.Errorf("play %+v", c.Play)
	}
	if c.Auth.Secrets["old"].Reveal() != key32 || c.Auth.Secret != "" || c.Viewer.Anonymous {
		t.Errorf("secrets of %d kids, anonymous %v", len(c.Auth.Secrets), c.Viewer.Anonymous)
	}
}

// TestDevelopment: made-up secrets differ from start to start and are named;
// with one's own the server may listen anywhere.
func TestDevelopment(t *testing.T) {
	a, err := input{}.load(t)
	if err != nil {
		t.Fatal(err)
	}
	b, err := input{}.load(t)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"auth.secret", "push.key", "play.key"}; !slices.Equal(a.Development, want) || !a.Viewer.Anonymous {
		t.Errorf("development %q, anonymous %v", a.Development, a.Viewer.Anonymous)
	}
	if a.Auth.Secret == b.Auth.Secret || a.Push.Key == b.Push.Key || a.Play.Key == b.Play.Key || a.Push.Key == a.Play.Key {
		t.Error("secrets made up are the same")
	}
	own, err := flags("--listen=:8080", "--auth.secret="+key32, "--push.key=p", "--play.key=p").load(t)
	if err != nil {
		t.Fatal(err)
	}
	if len(own.Development) > 0 || own.Viewer.Anonymous {
		t.Errorf("development %q, anonymous %v", own.Development, own.Viewer.Anonymous)
	}
}
