package config

import (
	"strings"
	"testing"
	"time"
)

// TestProviderRefusals: the whole message, which names the source and the key.
func TestProviderRefusals(t *testing.T) {
	const template = "a={md5 key path time}&b={time}"
	for want, in := range map[string]input{
		`--push.provider: push.provider: tencent_cdn_c signs the path of HTTP URLs, and nobody pushes over HTTP`: flags("--push.provider", "tencent_cdn_c"),
		`push.template: it and the provider template are given together or not at all`:                           flags("--push.provider", "template"),
		`ONAIR_PUSH_TEMPLATE: push.template: it and the provider template are given together or not at all`:      env("ONAIR_PUSH_TEMPLATE=" + template),
		`onair.yaml: play.template: it and the provider template are given together or not at all`:               yamlFile("play: {template: \"" + template + "\"}"),
		`play.template: it and the provider template are given together or not at all`:                           flags("--play.domain", "a,b", "--play.providers", "b=template"),
		`--push.algorithm: push.algorithm: volcengine has no sha256`:                                             flags("--push.algorithm", "sha256", "--push.provider", "volcengine"),
		`--play.algorithm: play.algorithm: none of the providers has sha256`:                                     flags("--play.algorithm", "sha256", "--play.provider", "qiniu"),
		`play.protocols: aliyun_b, of b, has no URLs of rtmp`:                                                    flags("--play.domain", "a,b", "--play.providers", "b=aliyun_b"),
		`--play.protocols: play.protocols: huawei_d, of a, has no URLs of webrtc`:                                flags("--play.domain", "a", "--play.provider", "huawei_d", "--play.protocols", "flv,webrtc"),
		`--play.ttl: play.ttl: 3m0s is under 4m0s: the times of aliyun_b, of a, are in minutes`:                  flags("--play.domain", "a", "--play.provider", "aliyun_b", "--play.protocols", "hls", "--play.ttl", "3m"),
		`--push.delta: push.delta: 24h0m0s is not shorter than push.ttl of 24h0m0s`:                              flags("--push.delta", "24h"),
		`--play.delta: play.delta: 1.5s is no whole number of seconds`:                                           flags("--play.delta", "1500ms"),
		`--play.deltas: play.deltas: 2h0m0s is not shorter than play.ttl of 2h0m0s`:                              flags("--play.domain", "a,b", "--play.deltas", "b=2h"),
		`--play.deltas: play.deltas: of b: "soon" is no duration, such as 60s`:                                   flags("--play.domain", "a,b", "--play.deltas", "b=soon"),
		`--play.deltas: play.deltas: "c" is none of play.domain`:                                                 flags("--play.deltas", "c=1s"),
		`--play.keys: play.keys: "c" is none of play.domain`:                                                     flags("--play.keys", "c=secret"),
		`--play.backup-keys: play.backup_keys: "c" is none of play.domain`:                                       flags("--play.backup-keys", "c=secret"),
		`--play.providers: play.providers: "c" is none of play.domain`:                                           flags("--play.providers", "c=none"),
		`--play.providers: play.providers: "nobody" of b is none of ` + strings.Join(Signers, ", "):              flags("--play.domain", "a,b", "--play.providers", "b=nobody"),
		`--vod.provider: vod.provider: secure_link needs vod.key`:                                                flags("--vod.provider", "secure_link"),
		`--vod.root: vod.root: it is of no use without vod.domain`:                                               flags("--vod.root", "/rec"),
		`--vod.root: vod.root: "rec" does not begin with /`:                                                      flags("--vod.root", "rec", "--vod.domain", "https://a"),
	} {
		t.Run(want, func(t *testing.T) {
			if _, err := in.load(t); err == nil || err.Error() != want {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestPlaySigner: what is given for a domain counts there, and with a key of its own
// a domain takes no backup key of another's.
func TestPlaySigner(t *testing.T) {
	c, err := flags("--bizid", "7", "--play.domain", "{bizid}.a,b,c,d", "--play.algorithm", "sha256", "--play.delta", "1m",
		"--play.key", "one", "--play.backup-key", "zero", "--play.providers", "b=aliyun_a,c=template,{bizid}.a=tencent",
		"--play.keys", "b=two,c=three", "--play.backup-keys", "c=old,d=older", "--play.deltas", "b=30m,c=0s",
		"--play.template", "a={md5 key path time}&b={time}").load(t)
	if err != nil {
		t.Fatal(err)
	}
	for domain, want := range map[string]Signer{
		"7.a": {"tencent", "", "one", "zero", time.Minute, "sha256"},
		"b":   {"aliyun_a", "", "two", "", 30 * time.Minute, ""},
		"c":   {"template", "a={md5 key path time}&b={time}", "three", "old", 0, ""},
		"d":   {"tencent", "", "one", "older", time.Minute, "sha256"},
	} {
		if got := c.Play.Signer(domain); got != want {
			t.Errorf("%s: %+v, keys %q and %q, want %+v, %q and %q", domain, got, got.Key.Reveal(), got.BackupKey.Reveal(),
				want, want.Key.Reveal(), want.BackupKey.Reveal())
		}
	}
}

// TestNoKeyIsMadeUp where every domain has its own, or needs none.
func TestNoKeyIsMadeUp(t *testing.T) {
	c, err := flags("--listen", ":8080", "--auth.secret", key32, "--push.provider", "none", "--play.domain", "a,b",
		"--play.providers", "b=none", "--play.keys", "a=one").load(t)
	if err != nil || len(c.Development) > 0 {
		t.Errorf("%v", err)
	}
	if _, err := flags("--listen", ":8080", "--auth.secret", key32, "--push.provider", "none", "--play.domain", "a,b",
		"--play.keys", "a=one").load(t); err == nil || !strings.Contains(err.Error(), "give play.key first") {
		t.Errorf("a key is made up for everybody: %v", err)
	}
}
