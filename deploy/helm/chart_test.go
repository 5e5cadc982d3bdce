// Package helm holds the chart to what onair's configuration has.
package helm

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"onair/server/config"
)

// ofTheChart are keys that values cannot have: the chart gives them itself, or
// there is no file of theirs in a pod.
var ofTheChart = []string{"listen", "ops.listen", "data", "node", "drain", "tls.cert", "tls.key", "redis.ca", "flight.dir"}

// TestSchema: the schema of values knows each key of onair.yaml, and which of
// them are secrets.
func TestSchema(t *testing.T) {
	var plain, secret []string
	flags := config.Flags()
	flags.VisitAll(func(f *pflag.Flag) {
		name := strings.ReplaceAll(f.Name, "-", "_")
		switch {
		case name == "config" || slices.Contains(ofTheChart, name) || strings.HasSuffix(name, "_file"):
		case flags.Lookup(f.Name+"-file") != nil:
			secret = append(secret, name)
		default:
			plain = append(plain, name)
		}
	})
	text, err := os.ReadFile("onair/values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties struct {
			Config, Secrets struct {
				PropertyNames struct{ Enum []string }
			}
		}
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	for what, pair := range map[string][2][]string{
		"config":  {plain, schema.Properties.Config.PropertyNames.Enum},
		"secrets": {secret, schema.Properties.Secrets.PropertyNames.Enum},
	} {
		want, got := slices.Sorted(slices.Values(pair[0])), slices.Sorted(slices.Values(pair[1]))
		if !slices.Equal(want, got) {
			lists, _ := json.Marshal(want)
			t.Errorf("%s: the enum of propertyNames should be\n%s", what, lists)
		}
	}
}
