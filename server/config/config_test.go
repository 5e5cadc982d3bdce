package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

const long = "a secret of thirty-two bytes or more"

// file writes a configuration file and returns its path.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "onair.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestFaults: each names the key and where its value came from.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		file string
		env  string
		args []string
		want string
	}{
		{args: []string{"--heartbeat.interval", "soon"}, want: `--heartbeat.interval: heartbeat.interval: "soon" is no duration, such as 60s`},
		{env: "ONAIR_HEARTBEAT_INTERVAL=-1s", want: `ONAIR_HEARTBEAT_INTERVAL: heartbeat.interval: "-1s" is negative`},
		{file: "heartbeat:\n  interval: 10ms\n", want: `onair.yaml: heartbeat.interval: 10ms is under 100ms`},
		{file: "heartbeat.grace: 2m\n", want: `onair.yaml: heartbeat.grace: 2m0s is longer than the interval of 1m0s`},
		{file: "heartbeat.missed: 0\n", want: `onair.yaml: heartbeat.missed: "0" is no number from 1 on`},
		{file: "heartbeat.rhythm: 1s\n", want: `onair.yaml: heartbeat.rhythm: there is no such key`},
		{file: "listen: [1, 2\n", want: `onair.yaml: yaml:`},
		{env: "ONAIR_LISTENN=x", want: `ONAIR_LISTENN: there is no such key`},
		{args: []string{"--listen", "0.0.0.0:80"}, want: `--listen: listen: 0.0.0.0:80 is not loopback, and development secrets are in use: give auth.secret, push.key, play.key first`},
		{args: []string{"--listen", "here"}, want: `--listen: listen: "here" is no host:port`},
		{args: []string{"--auth.secret", "short"}, want: `--auth.secret: auth.secret: it has 5 bytes, and needs 32`},
		{args: []string{"--auth.secrets", "a=short"}, want: `--auth.secrets: auth.secrets: that of kid a has 5 bytes, and needs 32`},
		{args: []string{"--auth.secrets", "short"}, want: `--auth.secrets: auth.secrets: it is no list of different name=value`},
		{args: []string{"--auth.secret-file", "/nonexistent"}, want: `--auth.secret-file: auth.secret: its file cannot be read`},
		{file: "auth.secret: " + long + "\nauth.secret_file: x\n", want: `onair.yaml: auth.secret: is given, and auth.secret_file too`},
		{args: []string{"--code", "{bizid}_x"}, want: `gives every anchor the same live code`},
		{args: []string{"--code", "{bizid}_{anchor}!"}, want: `--code: code: "{bizid}_{anchor}!" holds what a live code may not`},
		{args: []string{"--code", "x_{anchor}"}, want: `--code: code: "x_{anchor}" does not start with {bizid}_`},
		{args: []string{"--bizid", "a b"}, want: `--bizid: bizid: "a b" is not of`},
		{args: []string{"--list.show", "later"}, want: `--list.show: list.show: "later" is none of start, publish`},
		{args: []string{"--takeover", "x"}, want: `--takeover: takeover: "x" is none of newest, refuse`},
		{args: []string{"--lists", ","}, want: `--lists: lists: it names no list`},
		{args: []string{"--hub.counters", "100ms"}, want: `--hub.counters: hub.counters: 100ms is shorter than hub.tick of 250ms`},
		{args: []string{"--limits.window", "20000"}, want: `--limits.window: limits.window: 20000 is over 10000`},
		{args: []string{"--limits.message", "much"}, want: `--limits.message: limits.message: "much" is no size, such as 16KiB`},
		{args: []string{"--limits.snapshots-per-socket", "1"}, want: `--limits.snapshots-per-socket: limits.snapshots_per_socket: "1" is no rate, such as 1/s`},
		{args: []string{"--viewer.anonymous", "perhaps"}, want: `--viewer.anonymous: viewer.anonymous: "perhaps" is neither true nor false`},
		{args: []string{"--play.domain", "a=0"}, want: `--play.domain: play.domain: "a=0" has no weight from 1 on`},
		{args: []string{"--log.level", "loud"}, want: `--log.level: log.level:`},
		{args: []string{"--push.provider", "x"}, want: `--push.provider: push.provider: "x" is none of tencent`},
		{args: []string{"--play.delta", "3h"}, want: `--play.delta: play.delta: 3h0m0s is not shorter than play.ttl of 2h0m0s`},
		{args: []string{"--config", "/nonexistent.yaml"}, want: `--config: open /nonexistent.yaml`},
		{args: []string{"--nonsense", "1"}, want: `unknown flag: --nonsense`},
	} {
		args := c.args
		if c.file != "" {
			args = append([]string{"--config", file(t, c.file)}, args...)
		}
		var environ []string
		if c.env != "" {
			environ = []string{c.env}
		}
		_, err := Load(args, environ)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v %v %q:\n got %v\nwant %s", c.args, c.env, c.file, err, c.want)
		}
	}
}

// TestAllFaultsAtOnce: whoever mends a file wants to see all of it.
func TestAllFaultsAtOnce(t *testing.T) {
	_, err := Load([]string{"--hub.tick", "x", "--idle", "y"}, []string{"ONAIR_NONSENSE=1"})
	for _, want := range []string{"hub.tick", "idle", "ONAIR_NONSENSE"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %s", err, want)
		}
	}
}

func TestPrecedence(t *testing.T) {
	path := file(t, "idle: 11s\nhub:\n  tick: 11ms\n  counters: 11s\nlists: [a, b]\n")
	c, err := Load([]string{"--config", path, "--idle", "13s"}, []string{"ONAIR_IDLE=12s", "ONAIR_HUB_TICK=12ms", "HOME=/"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Idle != 13*time.Second || c.Hub.Tick != 12*time.Millisecond || c.Hub.Counters != 11*time.Second || c.Drain != 20*time.Second {
		t.Errorf("idle %v, hub %+v, drain %v", c.Idle, c.Hub, c.Drain)
	}
	if fmt.Sprint(c.Lists) != "[a b]" {
		t.Errorf("lists %v", c.Lists)
	}
}

func TestDerived(t *testing.T) {
	c, err := Load([]string{"--bizid", "2121", "--heartbeat.interval", "10s", "--play.domain", "a.example.com=3,b.example.com"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Heartbeat.Grace != time.Second || c.Push.Domain != "2121.livepush.myqcloud.com" {
		t.Errorf("grace %v, push domain %s", c.Heartbeat.Grace, c.Push.Domain)
	}
	if want := []Weighted{{"a.example.com", 3}, {"b.example.com", 1}}; !reflect.DeepEqual(c.Play.Domains, want) {
		t.Errorf("play domains %+v", c.Play.Domains)
	}
	if !c.Viewer.Anonymous || len(c.Development) != 3 || len(c.Auth.Secret) < 32 || c.Node == "" {
		t.Errorf("development: %v, anonymous %v, node %q", c.Development, c.Viewer.Anonymous, c.Node)
	}
	if c, err = Load([]string{"--auth.secret", long}, nil); err != nil || c.Viewer.Anonymous {
		t.Errorf("with a secret of one's own anonymous is %v, %v", c.Viewer.Anonymous, err)
	}
	// The strongest source counts, in whatever form it has the secret.
	secret := file(t, long+"\n")
	c, err = Load([]string{"--auth.secret-file", secret}, []string{"ONAIR_AUTH_SECRET=" + strings.ToUpper(long)})
	if err != nil || c.Auth.Secret.Reveal() != long {
		t.Errorf("secret from a file: %v", err)
	}
}

func TestSecretsShowThemselvesNowhere(t *testing.T) {
	c, err := Load([]string{"--auth.secret", "canary" + long, "--auth.secrets", "k=canary" + long, "--push.key", "canary"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	y, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	said := fmt.Sprintf("%v %+v %#v %s %q %s %s", c, c, c, c.Auth.Secret, c.Push.Key, text, y)
	if strings.Contains(said, "canary") {
		t.Errorf("a secret shows: %s", said)
	}
	_, err = Load([]string{"--auth.secret", "canary"}, nil)
	if err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("an error shows the secret: %v", err)
	}
}

// TestSample: the file in deploy/ has every key, and is what no file means.
func TestSample(t *testing.T) {
	const path = "../../deploy/onair.yaml"
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, Sample()) {
		t.Errorf("%s is not what Sample gives; write it anew: UPDATE=1 go test ./server/config", path)
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(path, Sample(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	with, err := Load([]string{"--config", path, "--node", "n"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	without, err := Load([]string{"--node", "n"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*Config{with, without} { // made up anew each time
		c.Auth.Secret, c.Push.Key, c.Play.Key = "", "", ""
	}
	if !reflect.DeepEqual(with, without) {
		t.Errorf("the sample means\n%+v\nno file means\n%+v", with, without)
	}
}

// FuzzFile: any file gives a configuration or an error, never a panic.
func FuzzFile(f *testing.F) {
	f.Add([]byte("heartbeat:\n  interval: 1s\n"))
	f.Add(Sample())
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		values := map[string]given{}
		if faults := fromYAML(values, "onair.yaml", data); len(faults) > 0 {
			return
		}
		for name := range values {
			if _, ok := find(name); !ok {
				t.Fatalf("%q got through", name)
			}
		}
	})
}
