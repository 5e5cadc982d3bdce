package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"onair/signing"
)

// minimumKey is an HS256 key of the minimum length.
const minimumKey = "0123456789abcdef0123456789abcdef"

// input holds the sources of a configuration.
type input struct {
	file string
	env  []string
	args []string
}

// load loads the configuration in a new directory, where the file is onair.yaml.
func (in input) load(t *testing.T) (*Config, error) {
	t.Helper()
	t.Chdir(t.TempDir())
	if in.file != "" {
		writeFile(t, DefaultFile, in.file)
	}
	return Load(in.args, in.env)
}

func writeFile(t *testing.T, name, text string) (absolutePath string) {
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

func withFlags(args ...string) input { return input{args: args} }
func withFile(text string) input     { return input{file: text} }
func withEnv(lines ...string) input  { return input{env: lines} }

// withSecrets is withFlags and a value for each required secret.
func withSecrets(args ...string) input {
	return withFlags(append(args, "--auth.secret", strings.Repeat("s", 32), "--push.key", "p", "--play.key", "p")...)
}

// TestInvalidValues compares the whole message, with the key and the origin.
func TestInvalidValues(t *testing.T) {
	for want, in := range map[string]input{
		// Unknown keys.
		`heartbeat.rhythm: unknown key (file onair.yaml)`:                                       withFile("heartbeat:\n  rhythm: 1s"),
		`heart.beat: unknown key (file onair.yaml)`:                                             withFile("heart.beat: 1s"),
		`heartbeat: must be a mapping of the keys that begin with heartbeat. (file onair.yaml)`: withFile("heartbeat: 60s"),
		`unknown environment variable ONAIR_HEARTBEAT`:                                          withEnv("ONAIR_HEARTBEAT=60s"),
		`unknown environment variable ONAIR_LISTEN_FILE`:                                        withEnv("ONAIR_LISTEN_FILE=/x"),
		`unknown flag: --heartbeat`:                                                             withFlags("--heartbeat", "60s"),
		`unexpected argument "60s"`:                                                             withFlags("60s"),
		`--config: open none.yaml: no such file or directory`:                                   withFlags("--config", "none.yaml"),
		// Texts that cannot be parsed.
		`idle: invalid value "soon": must be a duration, for example 60s (environment ONAIR_IDLE)`:                   withEnv("ONAIR_IDLE=soon"),
		`idle: invalid value "-1s": must not be negative (flag --idle)`:                                              withFlags("--idle", "-1s"),
		`heartbeat.missed: invalid value "0": must be at least 1 (file onair.yaml)`:                                  withFile("heartbeat: {missed: 0}"),
		`limits.views: invalid value "1e3": must be a whole number (file onair.yaml)`:                                withFile("limits.views: 1e3"),
		`limits.rate: invalid value "NaN": must be a number above 0 (flag --limits.rate)`:                            withFlags("--limits.rate", "NaN"),
		`limits.rate: invalid value "Inf": must be a number above 0 (flag --limits.rate)`:                            withFlags("--limits.rate", "Inf"),
		`limits.message: invalid value "2GiB": must be a size up to 1GiB, for example 16KiB (flag --limits.message)`: withFlags("--limits.message", "2GiB"),
		`limits.snapshots_per_socket: invalid value "1": must be a rate, for example 1/s (flag --limits.snapshots-per-socket)`: withFlags(
			"--limits.snapshots-per-socket", "1"),
		`viewer.anonymous: invalid value "yes": must be true or false (flag --viewer.anonymous)`:                                     withFlags("--viewer.anonymous", "yes"),
		`log.level: invalid value "loud": must be one of debug, info, warn, error (flag --log.level)`:                                withFlags("--log.level", "loud"),
		`log.format: invalid value "xml": must be one of console, json (flag --log.format)`:                                          withFlags("--log.format", "xml"),
		`list.show: invalid value "later": must be one of start, publish (flag --list.show)`:                                         withFlags("--list.show", "later"),
		`push.provider: invalid value "mine": must be one of ` + strings.Join(signing.Providers(), ", ") + ` (flag --push.provider)`: withFlags("--push.provider", "mine"),
		`origins: invalid value "[": "[" must be an origin, for example https://app.example.com or *.example.com (flag --origins)`:   withFlags("--origins", "["),
		`lists: invalid value "a,b,a": "a" occurs twice (flag --lists)`:                                                              withFlags("--lists", "a,b,a"),
		`play.protocols: invalid value "hls,dash": "dash" must be one of rtmp, flv, hls, webrtc (flag --play.protocols)`: withFlags(
			"--play.protocols", "hls,dash"),
		`play.domain: invalid value "a=2000": the weight of a must be from 1 to 1000 (flag --play.domain)`:        withFlags("--play.domain", "a=2000"),
		`play.templates: invalid value "HD=1": the name "HD" must consist of a-z 0-9 _ - (flag --play.templates)`: withFlags("--play.templates", "HD=1"),
		// Redis.
		`ops.listen: invalid value "127.0.0.1:8080": must have another port than listen (127.0.0.1:8080) (flag --ops.listen)`: withFlags("--ops.listen", "127.0.0.1:8080"),
		`ops.listen: invalid value "10.0.0.1:80": must have another port than listen (:80) (environment ONAIR_OPS_LISTEN)`: {
			env: []string{"ONAIR_OPS_LISTEN=10.0.0.1:80"}, args: withSecrets("--listen", ":80").args,
		},
		`data: must not be set beside redis.addrs: the list is stored in one of the two (flag --data)`: withSecrets("--redis.addrs", "r:1", "--data", "x"),
		`webhooks.secret: requires webhooks.url (flag --webhooks.secret)`:                              withFlags("--webhooks.secret", "whsec_x"),
		`redis.password: requires redis.addrs (flag --redis.password)`:                                 withFlags("--redis.password", "x"),
		`redis.addrs: invalid value: address 2 must be host:port: user, password and TLS have keys of their own (redis.username, redis.password, redis.tls) (flag --redis.addrs)`: withFlags(
			"--redis.addrs", "r:1,redis"),
		`redis.addrs: requires auth.secret, push.key, play.key: nodes that share a list must use the same secrets, and each would generate its own (flag --redis.addrs)`: withFlags(
			"--redis.addrs", "r:1"),
		`redis.db: invalid value "1": must be 0: several addresses without redis.master_name are a Redis Cluster (flag --redis.db)`: withSecrets("--redis.addrs", "r:1,r:2", "--redis.db", "1"),
		`redis.db: invalid value "-1": must be a whole number from 0 on (flag --redis.db)`:                                          withFlags("--redis.db", "-1"),
		`redis.prefix: invalid value "{a}": must consist of A-Z a-z 0-9 _ - (flag --redis.prefix)`:                                  withSecrets("--redis.addrs", "r:1", "--redis.prefix", "{a}"),
		`redis.ca: requires redis.tls (flag --redis.ca)`:                                                                            withSecrets("--redis.addrs", "r:1", "--redis.ca", "x"),
		// Forms that the key does not have.
		`node: must be a plain value (file onair.yaml)`:     withFile("node: [a, b]"),
		`lists: must be a list (file onair.yaml)`:           withFile("lists: {a: b}"),
		`auth.secrets: must be a mapping (file onair.yaml)`: withFile("auth.secrets: [a]"),
		`auth.secrets: parts must be plain values without a comma, and names without = (file onair.yaml)`: withFile(
			"auth.secrets:\n  a: 'x,b=y'"),
		`idle: set twice (file onair.yaml)`:                         withFile("idle: 1s\nidle: 2s"),
		`hub.tick: set twice (file onair.yaml)`:                     withFile("hub.tick: 1s\nhub: {tick: 1s}"),
		`onair.yaml: must be a mapping of keys to values`:           withFile("- idle"),
		`onair.yaml: must be one YAML document, has a second one`:   withFile("idle: 1s\n---\nidle: 2s"),
		`hub: line 1: a key must be a plain word (file onair.yaml)`: withFile("hub: {[a]: b}"),
		`idle: must be a plain value (file onair.yaml)`: withFile(
			"drain: &a 2s\nidle: *a"),
		// Values out of bounds, or in conflict with other values.
		`heartbeat.interval: invalid value "99ms": must be at least 100ms (file onair.yaml)`:                      withFile("heartbeat: {interval: 99ms}"),
		`heartbeat.grace: invalid value "2m": must be at most heartbeat.interval (1m0s) (flag --heartbeat.grace)`: withFlags("--heartbeat.grace", "2m"),
		`heartbeat.missed: invalid value "251": must be at most 250 (flag --heartbeat.missed)`:                    withFlags("--heartbeat.missed", "251"),
		`hub.counters: invalid value "100ms": must be at least hub.tick (250ms) (flag --hub.counters)`:            withFlags("--hub.counters", "100ms"),
		`hub.tick: invalid value "0s": must be at least 1ms (flag --hub.tick)`:                                    withFlags("--hub.tick", "0s"),
		`limits.window: invalid value "10001": must be at most 10000 (flag --limits.window)`:                      withFlags("--limits.window", "10001"),
		`play.delta: invalid value "2h": must be shorter than play.ttl (2h0m0s) (flag --play.delta)`:              withFlags("--play.delta", "2h"),
		`push.domain: invalid value "https://x": "https://x" must be a domain (flag --push.domain)`:               withFlags("--push.domain", "https://x"),
		`play.app: invalid value "": must consist of A-Z a-z 0-9 _ - (flag --play.app)`:                           withFlags("--play.app", ""),
		`listen: invalid value "8080": must be host:port (flag --listen)`:                                         withFlags("--listen", "8080"),
		`ops.listen: invalid value "x:99999": must be host:port (flag --ops.listen)`:                              withFlags("--ops.listen", "x:99999"),
		`auth.jwks_url: invalid value: must be an http or https URL (flag --auth.jwks-url)`:                       withFlags("--auth.jwks-url", "idp"),
		`listen: invalid value ":80": must be a loopback address while development secrets are in use: set push.key, play.key first (environment ONAIR_LISTEN)`: withEnv(
			"ONAIR_LISTEN=:80", "ONAIR_AUTH_SECRET="+minimumKey),
		`code: invalid value "{bizid}_x": must contain {anchor}, {anchor_hash} or {session}: all anchors would have the same live code (flag --code)`: withFlags(
			"--code", "{bizid}_x"),
		`code: invalid value "{anchor}_{bizid}": must start with {bizid}_ (flag --code)`: withFlags("--code", "{anchor}_{bizid}"),
		`code: invalid value "{bizid}_{user}{anchor}": ` +
			`must consist of A-Z a-z 0-9 _ - and {bizid}, {anchor}, {anchor_hash}, {session} (flag --code)`: withFlags("--code", "{bizid}_{user}{anchor}"),
		`code: invalid value "{bizid}_` + strings.Repeat("x", 98) + `{session}": must yield live codes of at most 128 bytes: the shortest has 129 (flag --code)`: withFlags(
			"--code", "{bizid}_"+strings.Repeat("x", 98)+"{session}"),
		// Secrets, which messages must not show.
		`auth.secret: invalid value: must have at least 32 bytes, has 31 (flag --auth.secret)`:                      withFlags("--auth.secret", minimumKey[1:]),
		`auth.secrets: invalid value: the secret of kid b must have at least 32 bytes, has 1 (flag --auth.secrets)`: withFlags("--auth.secrets", "a="+minimumKey+",b=x"),
		`auth.secrets: invalid value: must be a list of name=value with different names (flag --auth.secrets)`:      withFlags("--auth.secrets", minimumKey+"=="),
		`onair.yaml: a value that begins with * must be quoted`:                                                     withFile("auth.secret: *" + minimumKey),
		`auth.secret: set twice, also as auth.secret_file: set one of the two (environment ONAIR_AUTH_SECRET)`: {
			file: "# " + minimumKey, env: []string{"ONAIR_AUTH_SECRET=" + minimumKey, "ONAIR_AUTH_SECRET_FILE=" + DefaultFile},
		},
		`push.key: cannot read its file: open none: no such file or directory (flag --push.key-file)`: withFlags("--push.key-file", "none"),
		`push.key: its file /dev/null is empty (flag --push.key-file)`:                                withFlags("--push.key-file", "/dev/null"),
	} {
		t.Run(want, func(t *testing.T) {
			if _, err := in.load(t); err == nil || err.Error() != want {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestErrorListsAllProblems: one error hides no other, and errors that follow from
// another are not listed.
func TestErrorListsAllProblems(t *testing.T) {
	_, err := input{
		file: "hub.tick: x\nnonsense: 1\nlimits: {window: 10001}",
		env:  []string{"ONAIR_NONSENSE=1", "ONAIR_PUSH_KEY_FILE=none"},
		args: []string{"--hub.counters", "1ms", "--listen", ":80", "--heartbeat.grace", "2m"},
	}.load(t)
	want := []string{
		`nonsense: unknown key (file onair.yaml)`,
		`unknown environment variable ONAIR_NONSENSE`,
		`push.key: cannot read its file: open none: no such file or directory (environment ONAIR_PUSH_KEY_FILE)`,
		`hub.tick: invalid value "x": must be a duration, for example 60s (file onair.yaml)`,
		`limits.window: invalid value "10001": must be at most 10000 (file onair.yaml)`,
		`heartbeat.grace: invalid value "2m": must be at most heartbeat.interval (1m0s) (flag --heartbeat.grace)`,
	}
	if err == nil || err.Error() != strings.Join(want, "\n") {
		t.Errorf("got\n%v\nwant\n%s", err, strings.Join(want, "\n"))
	}
}

// TestStrongestSourceWins for each key, in either form of a secret.
func TestStrongestSourceWins(t *testing.T) {
	in := input{
		file: "idle: 11s\ndrain: 11s\nhub: {tick: 11ms}\npush: {key: file}\nplay.key: file",
		env:  []string{"ONAIR_IDLE=12s", "ONAIR_DRAIN=12s", "ONAIR_PUSH_KEY=env", "ONAIR_TEST_X=1", "HOME=/"},
		args: []string{"--idle=13s", "--play.key-file=" + writeFile(t, filepath.Join(t.TempDir(), "key"), "flag\r\n")},
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

// TestFileKeepsScalarsAsWritten: YAML does not convert numbers and times, and lists
// and mappings have all their forms.
func TestFileKeepsScalarsAsWritten(t *testing.T) {
	c, err := withFile(`
bizid: 0123
node: 2020-01-01
log.level: debug
idle: # null leaves the default
lists: [a, 1.10]
play:
  domain: {a.example.com: 3, b.example.com: 1}
  protocols: hls,flv
auth.secrets:
  old: ` + minimumKey + `
`).load(t)
	if err != nil {
		t.Fatal(err)
	}
	if c.BizID != "0123" || c.Node != "2020-01-01" || c.Idle != 25*time.Second || !slices.Equal(c.Lists, []string{"a", "1.10"}) {
		t.Errorf("bizid %q, node %q, idle %v, lists %q", c.BizID, c.Node, c.Idle, c.Lists)
	}
	if !slices.Equal(c.Play.Domains, []WeightedDomain{{"a.example.com", 3}, {"b.example.com", 1}}) || !slices.Equal(c.Play.Protocols, []string{"hls", "flv"}) {
		t.Errorf("play %+v", c.Play)
	}
	if c.Auth.Secrets["old"].Reveal() != minimumKey || c.Auth.Secret != "" || c.Viewer.Anonymous {
		t.Errorf("secrets of %d kids, anonymous %v", len(c.Auth.Secrets), c.Viewer.Anonymous)
	}
}

// TestGeneratedSecrets differ at each start and are listed; without any the server may
// listen on every address.
func TestGeneratedSecrets(t *testing.T) {
	a, err := input{}.load(t)
	if err != nil {
		t.Fatal(err)
	}
	b, err := input{}.load(t)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"auth.secret", "push.key", "play.key"}; !slices.Equal(a.GeneratedSecrets, want) || !a.Viewer.Anonymous {
		t.Errorf("generated secrets %q, anonymous %v", a.GeneratedSecrets, a.Viewer.Anonymous)
	}
	if a.Auth.Secret == b.Auth.Secret || a.Push.Key == b.Push.Key || a.Play.Key == b.Play.Key || a.Push.Key == a.Play.Key {
		t.Error("generated secrets are equal")
	}
	configured, err := withFlags("--listen=:8080", "--auth.secret="+minimumKey, "--push.key=p", "--play.key=p").load(t)
	if err != nil {
		t.Fatal(err)
	}
	if len(configured.GeneratedSecrets) > 0 || configured.Viewer.Anonymous {
		t.Errorf("generated secrets %q, anonymous %v", configured.GeneratedSecrets, configured.Viewer.Anonymous)
	}
}

// TestEmptySecretIsNotGiven: an unset variable of a deployment does not discard a configured
// key, and a server with any key of its own generates none.
func TestEmptySecretIsNotGiven(t *testing.T) {
	file := filepath.Join(t.TempDir(), "auth")
	if err := os.WriteFile(file, []byte(minimumKey), 0o600); err != nil {
		t.Fatal(err)
	}
	in := withFlags("--push.key=p", "--play.key=p", "--push.backup-key=")
	in.file, in.env = "auth.secret_file: "+file+"\npush.backup_key: b", []string{"ONAIR_AUTH_SECRET=", "ONAIR_PLAY_KEY= ", "ONAIR_AUTH_SECRETS_FILE="}
	c, err := in.load(t)
	if err != nil || c.Auth.Secret != minimumKey || c.Push.BackupKey != "b" || len(c.GeneratedSecrets) > 0 || c.Viewer.Anonymous {
		t.Errorf("%v, %+v", err, c)
	}
	for flags, want := range map[string]string{
		"--auth.secret=" + minimumKey + " --play.key=p":    "push.key: must be set, because auth.secret is",
		"--auth.secrets=k=" + minimumKey:                   "push.key, play.key: must be set, because auth.secrets is",
		"--push.key=p --play.key=p":                        "auth.secret: must be set, because push.key is",
		"--auth.jwks-url=http://localhost/keys":            "push.key, play.key: must be set, because auth.jwks_url is",
		"--hooks.srs.enabled=true --hooks.srs.secret=path": "",
		"": "",
	} {
		c, err := withFlags(strings.Fields(flags)...).load(t)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.CheckGeneratedSecrets(); (err != nil) != (want != "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %q", flags, err, want)
		}
	}
}

// TestOrigins: what browsers send is accepted, in one spelling.
func TestOrigins(t *testing.T) {
	c, err := withFlags("--origins", "null,file://,capacitor://localhost,https://App.example.com:443,http://a:8080,*.example.com,*", "--cors", "http://a:80").load(t)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"null", "file://", "capacitor://localhost", "https://app.example.com", "http://a:8080", "*.example.com", "*"}
	if !slices.Equal(c.Origins, want) || !slices.Equal(c.CORS, []string{"http://a"}) {
		t.Errorf("%q, %q", c.Origins, c.CORS)
	}
	for _, origin := range []string{"https://app.example.com/", "app.example.com/", "https://app.example.com/live", "https://u:p@app.example.com", "://", "https://", "["} {
		if _, err := withFlags("--cors", origin).load(t); err == nil || !strings.Contains(err.Error(), "must be an origin") {
			t.Errorf("%s: %v", origin, err)
		}
	}
}

// TestKubernetesVariables of Services called onair and onair-redis are ignored and listed; a
// variable that is meant as a key is not.
func TestKubernetesVariables(t *testing.T) {
	given := []string{
		"ONAIR_SERVICE_HOST=10.0.3.67", "ONAIR_SERVICE_PORT=8080", "ONAIR_SERVICE_PORT_HTTP=8080", "ONAIR_PORT=tcp://10.0.3.67:8080",
		"ONAIR_PORT_8080_TCP=tcp://10.0.3.67:8080", "ONAIR_PORT_8080_TCP_PROTO=tcp", "ONAIR_PORT_8080_TCP_PORT=8080",
		"ONAIR_PORT_8080_TCP_ADDR=10.0.3.67", "ONAIR_REDIS_SERVICE_HOST=10.0.3.68", "ONAIR_REDIS_PORT=tcp://10.0.3.68:6379",
	}
	c, err := withEnv(append(given, "ONAIR_IDLE=12s")...).load(t)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, assignment := range given {
		name, _, _ := strings.Cut(assignment, "=")
		names = append(names, name)
	}
	if c.Idle != 12*time.Second || !slices.Equal(c.IgnoredVariables, names) {
		t.Errorf("idle %v, ignored %q", c.Idle, c.IgnoredVariables)
	}
	for _, assignment := range []string{"ONAIR_PORT=8080", "ONAIR_HOST=10.0.3.67", "ONAIR_SERVICE=x"} {
		if _, err := withEnv(assignment).load(t); err == nil || !strings.Contains(err.Error(), "unknown environment variable") {
			t.Errorf("%s: %v", assignment, err)
		}
	}
}
