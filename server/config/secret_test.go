package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"go.yaml.in/yaml/v3"
)

// TestSecretRedactsItself in all usual output formats.
func TestSecretRedactsItself(t *testing.T) {
	const canary = Secret("canary")
	value := struct {
		One  Secret
		Many map[string]Secret
		At   *Secret
	}{canary, map[string]Secret{"kid": canary}, new(canary)}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%10.3s"} {
		fmt.Fprintf(&out, verb+verb+"\n", canary, value)
	}
	fmt.Fprintln(&out, fmt.Errorf("wrapped: %w: %v", fmt.Errorf("%s", canary), canary))
	for _, marshal := range []func(any) ([]byte, error){json.Marshal, yaml.Marshal} {
		text, err := marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(text)
	}
	log := zerolog.New(&out)
	log.Info().Stringer("a", canary).Interface("b", value).Any("c", canary).Msgf("%v", canary)
	log.Info().Fields(map[string]any{"d": canary}).Send()
	// %x writes hexadecimal digits.
	if s := strings.ToLower(out.String()); strings.Contains(s, "canary") || strings.Contains(s, fmt.Sprintf("%x", "canary")) {
		t.Errorf("output contains a secret:\n%s", s)
	}
	if canary.Reveal() != "canary" {
		t.Errorf("Reveal() = %q", canary.Reveal())
	}
}

// TestURLMasksCredentials in all usual output formats.
func TestURLMasksCredentials(t *testing.T) {
	const canary = URL("https://canary:canary@example.com/keys?apikey=canary#canary")
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+"\n", canary)
	}
	for _, marshal := range []func(any) ([]byte, error){json.Marshal, yaml.Marshal} {
		text, err := marshal(map[string]any{"url": canary, "config": Auth{JWKSURL: canary}})
		if err != nil {
			t.Fatal(err)
		}
		out.Write(text)
	}
	log := zerolog.New(&out)
	log.Info().Stringer("a", canary).Any("b", canary).Msgf("%v", canary)
	fmt.Fprintln(&out, URL(":canary@\x00"))
	if s := out.String(); strings.Contains(s, "canary") || !strings.Contains(s, "https://xxxxx@example.com/keys?xxxxx") {
		t.Errorf("output:\n%s", s)
	}
}

// TestPasswordsInAddresses: a password where a URL or an address is expected appears in no
// error, and in nothing that is printed.
func TestPasswordsInAddresses(t *testing.T) {
	for key, values := range map[string][]string{
		"redis.addrs":   {"redis://:S3cretPw@redis.internal:6379/0", "rediss://default:S3cretPw@x.example.com:6379", ":S3cretPw@redis:6379", "S3cretPw@redis:6379", "r:1,u:S3cretPw@r"},
		"auth.jwks_url": {"user:S3cretPw@idp/keys", "ftp://u:S3cretPw@idp", "http://u:S3cretPw@idp:x/"},
		"webhooks.url":  {"back:S3cretPw@end", "http://%zz:S3cretPw@end"}, "cloud.url": {"S3cretPw"}, "vod.domain": {"a:S3cretPw@b"},
	} {
		for _, value := range values {
			if _, err := withFlags("--"+flagName(key), value).load(t); err == nil || !strings.Contains(err.Error(), key) || strings.Contains(err.Error(), "S3cretPw") {
				t.Errorf("%s: %v", key, err)
			}
		}
	}
	c, err := withSecrets("--auth.jwks-url", "https://u:S3cretPw@idp/keys?apikey=S3cretPw").load(t)
	if err != nil {
		t.Fatal(err)
	}
	if printed := string(c.RedactedYAMLWithOrigins()); strings.Contains(printed, "S3cretPw") {
		t.Error(printed)
	}
}

// TestSecretsAreWhatWasMeant, however they are given: what an editor, a shell or a copy adds
// around a key is removed, and what nobody can mean is refused.
func TestSecretsAreWhatWasMeant(t *testing.T) {
	const key = "0123456789abcdef0123456789abcdef"
	for given, want := range map[string]string{
		key: "", key + "\n": "", key + "\r\n": "", "\ufeff" + key: "", "\ufeff" + key + "\r\n": "", " \t" + key + " \u00a0": "", "\u200b" + key: "",
		`"` + key + `"`: "quotes", "'" + key + "'\n": "quotes", "`" + key + "`": "quotes",
		key + "\n" + key: "one line", key[:9] + "\u200b" + key[9:]: "invisible", key[:9] + "\t" + key[9:]: "invisible", key + "\x00": "invisible",
		key[:9] + "\u00a0" + key[9:]: "invisible", "\xc3\x28" + key: "UTF-8", "\xff\xfe" + strings.Join(strings.Split(key, ""), "\x00"): "UTF-",
	} {
		file := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(file, []byte(given), 0o600); err != nil {
			t.Fatal(err)
		}
		for source, in := range map[string]input{
			"flag --auth.secret":             withFlags("--auth.secret=" + given),
			"flag --auth.secret-file":        withFlags("--auth.secret-file=" + file),
			"environment ONAIR_AUTH_SECRET":  {env: []string{"ONAIR_AUTH_SECRET=" + given}},
			"environment ONAIR_AUTH_SECRETS": {env: []string{"ONAIR_AUTH_SECRETS=k=" + given}},
		} {
			in.args = append(in.args, "--push.key=p", "--play.key=p")
			c, err := in.load(t)
			if want == "" {
				if err != nil || c.Auth.Secret != key && c.Auth.Secrets["k"] != key {
					t.Errorf("%s, %q: %v", source, given, err)
				}
				continue
			}
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), source) || strings.Contains(err.Error(), key[:9]) {
				t.Errorf("%s, %q: error %v, want one with %q", source, given, err, want)
			}
		}
	}
}
