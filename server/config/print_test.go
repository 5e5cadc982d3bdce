package config

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestPrint: the output has every key and origin, shows no secret, and gives the same
// configuration as a file.
func TestPrint(t *testing.T) {
	dir := t.TempDir()
	file, key := filepath.Join(dir, "onair.yaml"), filepath.Join(dir, "key")
	writeFile(t, file, "lists: [live, vip]\nplay.domain: {a.example.com: 2, b.example.com: 1}\npush.key_file: "+key+"\n")
	writeFile(t, key, "pushsecret\n")
	args := []string{"--config", file, "--limits.rate", "7", "--node", "n", "--auth.jwks-url", "https://me:hunter2@id.example.com/keys"}
	environ := []string{"ONAIR_AUTH_SECRETS=a=" + strings.Repeat("s", 32), "ONAIR_CORS=*.example.com"}
	c, err := Load(args, environ)
	if err != nil {
		t.Fatal(err)
	}
	printed := string(c.RedactedYAMLWithOrigins())
	for _, want := range []string{
		`lists: "live,vip"`, "# file " + file, `limits.rate: "7"`, "# flag --limits.rate", `cors: "*.example.com"`, "# environment ONAIR_CORS",
		"# push.key: (secret)", "# auth.secrets: (secret)", "# play.key: (secret)", "# generated", `heartbeat.grace: "5s"`,
	} {
		if !strings.Contains(printed, want) {
			t.Errorf("%s is missing in:\n%s", want, printed)
		}
	}
	for _, k := range keys {
		if !strings.Contains("\n"+printed, "\n"+k.name+": ") && !strings.Contains(printed, "\n# "+k.name+":") {
			t.Errorf("%s is missing", k.name)
		}
	}
	if strings.Contains(printed, "pushsecret") || strings.Contains(printed, "ssss") || strings.Contains(printed, "hunter2") || strings.Contains(printed, c.Play.Key.Reveal()) {
		t.Errorf("output contains a secret:\n%s", printed)
	}
	printedFile := filepath.Join(dir, "printed.yaml")
	writeFile(t, printedFile, printed)
	reloaded, err := Load([]string{"--config", printedFile}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if changed, _ := ChangedKeys(c, reloaded); !slices.Equal(slices.Sorted(slices.Values(changed)), []string{"auth.jwks_url", "auth.secrets", "heartbeat.grace", "push.key", "viewer.anonymous"}) {
		t.Errorf("the printed file differs in %v", changed) // expected: secrets and derived values
	}
	if c.Heartbeat != reloaded.Heartbeat || c.Limits != reloaded.Limits || c.Viewer != reloaded.Viewer {
		t.Error("the printed file gives another configuration")
	}
}
