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
