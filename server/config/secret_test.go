package config

import (
	"bytes"
	"encoding/json"
	"fmt"
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
