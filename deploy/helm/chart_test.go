// Package helm tests that the chart matches onair's configuration.
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

// chartKeys are the keys that values cannot set: the chart sets them itself, or a
// pod has no such file.
var chartKeys = []string{"listen", "ops.listen", "data", "node", "leave", "drain", "tls.cert", "tls.key", "redis.ca", "flight.dir"}

// The schema of values has each key of onair.yaml, and the secret ones in secrets.
func TestSchemaMatchesConfiguration(t *testing.T) {
	var plain, secret []string
	flags := config.NewFlagSet()
	flags.VisitAll(func(f *pflag.Flag) {
		name := strings.ReplaceAll(f.Name, "-", "_")
		switch {
		case name == "config" || slices.Contains(chartKeys, name) || strings.HasSuffix(name, "_file"):
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
	for section, keys := range map[string][2][]string{
		"config":  {plain, schema.Properties.Config.PropertyNames.Enum},
		"secrets": {secret, schema.Properties.Secrets.PropertyNames.Enum},
	} {
		want, got := slices.Sorted(slices.Values(keys[0])), slices.Sorted(slices.Values(keys[1]))
		if !slices.Equal(want, got) {
			enum, _ := json.Marshal(want)
			t.Errorf("%s: the enum of propertyNames should be\n%s", section, enum)
		}
	}
}
