package config

import (
	"strings"
	"testing"
	"time"

	"onair/signing"
)

// TestInvalidSigners compares the whole message, with the key and the origin.
func TestInvalidSigners(t *testing.T) {
	const template = "a={md5 key path time}&b={time}"
	for want, in := range map[string]input{
		`push.provider: invalid value "tencent_cdn_c": it signs the path of HTTP URLs, but encoders do not push over HTTP (flag --push.provider)`:                     withFlags("--push.provider", "tencent_cdn_c"),
		`push.template: must be set together with the provider template`:                                                                                              withFlags("--push.provider", "template"),
		`push.template: must be set together with the provider template (environment ONAIR_PUSH_TEMPLATE)`:                                                            withEnv("ONAIR_PUSH_TEMPLATE=" + template),
		`play.template: must be set together with the provider template (file onair.yaml)`:                                                                            withFile("play: {template: \"" + template + "\"}"),
		`play.template: must be set together with the provider template`:                                                                                              withFlags("--play.domain", "a,b", "--play.providers", "b=template"),
		`push.algorithm: invalid value "sha256": volcengine has only md5 (flag --push.algorithm)`:                                                                     withFlags("--push.algorithm", "sha256", "--push.provider", "volcengine"),
		`play.algorithm: invalid value "sha256": no play provider has sha256 (flag --play.algorithm)`:                                                                 withFlags("--play.algorithm", "sha256", "--play.provider", "qiniu"),
		`play.protocols: invalid value "rtmp,flv,hls": aliyun_b (domain b) has no rtmp URLs`:                                                                          withFlags("--play.domain", "a,b", "--play.providers", "b=aliyun_b"),
		`play.protocols: invalid value "flv,webrtc": huawei_d (domain a) has no webrtc URLs (flag --play.protocols)`:                                                  withFlags("--play.domain", "a", "--play.provider", "huawei_d", "--play.protocols", "flv,webrtc"),
		`play.ttl: invalid value "3m": must be at least 4m0s: the times of aliyun_b (domain a) are whole minutes (flag --play.ttl)`:                                   withFlags("--play.domain", "a", "--play.provider", "aliyun_b", "--play.protocols", "hls", "--play.ttl", "3m"),
		`push.delta: invalid value "24h": must be shorter than push.ttl (24h0m0s) (flag --push.delta)`:                                                                withFlags("--push.delta", "24h"),
		`play.delta: invalid value "1500ms": must be a whole number of seconds (flag --play.delta)`:                                                                   withFlags("--play.delta", "1500ms"),
		`play.deltas: invalid value "b=2h": must be shorter than play.ttl (2h0m0s) (flag --play.deltas)`:                                                              withFlags("--play.domain", "a,b", "--play.deltas", "b=2h"),
		`play.deltas: invalid value "b=soon": "soon" of b must be a duration, for example 60s (flag --play.deltas)`:                                                   withFlags("--play.domain", "a,b", "--play.deltas", "b=soon"),
		`play.deltas: invalid value "c=1s": "c" must be one of play.domain (flag --play.deltas)`:                                                                      withFlags("--play.deltas", "c=1s"),
		`play.keys: invalid value: "c" must be one of play.domain (flag --play.keys)`:                                                                                 withFlags("--play.keys", "c=secret"),
		`play.backup_keys: invalid value: "c" must be one of play.domain (flag --play.backup-keys)`:                                                                   withFlags("--play.backup-keys", "c=secret"),
		`play.providers: invalid value "c=none": "c" must be one of play.domain (flag --play.providers)`:                                                              withFlags("--play.providers", "c=none"),
		`play.providers: invalid value "b=nobody": the provider "nobody" of b must be one of ` + strings.Join(signing.Providers(), ", ") + ` (flag --play.providers)`: withFlags("--play.domain", "a,b", "--play.providers", "b=nobody"),
		`vod.provider: secure_link requires vod.key (flag --vod.provider)`:                                                                                            withFlags("--vod.provider", "secure_link"),
		`vod.root: requires vod.domain (flag --vod.root)`:                                                                                                             withFlags("--vod.root", "/rec"),
		`vod.root: invalid value "rec": must begin with / (flag --vod.root)`:                                                                                          withFlags("--vod.root", "rec", "--vod.domain", "https://a"),
	} {
		t.Run(want, func(t *testing.T) {
			if _, err := in.load(t); err == nil || err.Error() != want {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestPlaySignerConfig: the values of a domain override the general ones, and a domain
// with a key of its own does not accept the general backup key.
func TestPlaySignerConfig(t *testing.T) {
	c, err := withFlags("--bizid", "7", "--play.domain", "{bizid}.a,b,c,d", "--play.algorithm", "sha256", "--play.delta", "1m",
		"--play.key", "one", "--play.backup-key", "zero", "--play.providers", "b=aliyun_a,c=template,{bizid}.a=tencent",
		"--play.keys", "b=two,c=three", "--play.backup-keys", "c=old,d=older", "--play.deltas", "b=30m,c=0s",
		"--play.template", "a={md5 key path time}&b={time}").load(t)
	if err != nil {
		t.Fatal(err)
	}
	for domain, want := range map[string]SignerConfig{
		"7.a": {"tencent", "", "one", "zero", time.Minute, "sha256"},
		"b":   {"aliyun_a", "", "two", "", 30 * time.Minute, ""},
		"c":   {"template", "a={md5 key path time}&b={time}", "three", "old", 0, ""},
		"d":   {"tencent", "", "one", "older", time.Minute, "sha256"},
	} {
		if got := c.Play.SignerConfig(domain); got != want {
			t.Errorf("%s: %+v, keys %q and %q, want %+v, %q and %q", domain, got, got.Key.Reveal(), got.BackupKey.Reveal(),
				want, want.Key.Reveal(), want.BackupKey.Reveal())
		}
	}
}

// TestNoKeyIsGenerated if every domain has its own key or needs none.
func TestNoKeyIsGenerated(t *testing.T) {
	c, err := withFlags("--listen", ":8080", "--auth.secret", minimumKey, "--push.provider", "none", "--play.domain", "a,b",
		"--play.providers", "b=none", "--play.keys", "a=one").load(t)
	if err != nil || len(c.GeneratedSecrets) > 0 {
		t.Errorf("%v", err)
	}
	if _, err := withFlags("--listen", ":8080", "--auth.secret", minimumKey, "--push.provider", "none", "--play.domain", "a,b",
		"--play.keys", "a=one").load(t); err == nil || !strings.Contains(err.Error(), "set play.key first") {
		t.Errorf("a missing play key is not reported: %v", err)
	}
}
