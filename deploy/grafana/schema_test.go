package grafana

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	model "github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/heatmap"
	queries "github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/statetimeline"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// Grafana knows each member of each dashboard, panel and query, and all required
// members are present. Grafana silently drops unknown members.
func TestDashboardsMatchGrafanaSchema(t *testing.T) {
	kinds := []variants.PanelcfgConfig{
		heatmap.VariantConfig(), stat.VariantConfig(), statetimeline.VariantConfig(), table.VariantConfig(), timeseries.VariantConfig(),
	}
	known := cog.NewRuntime()
	known.RegisterDataqueryVariant(queries.VariantConfig())
	for _, kind := range kinds {
		known.RegisterPanelcfgVariant(kind)
	}
	for _, d := range loadDashboards(t) {
		//lint:ignore SA1019 the schema after this one is not Grafana 11's
		checkStrict(t, d.file, new(model.Dashboard), d.text)
		// The check above accepts anything in these two.
		var parts struct {
			Panels []struct {
				Type, Title string
				FieldConfig json.RawMessage
				Targets     []json.RawMessage
			}
		}
		if err := json.Unmarshal(d.text, &parts); err != nil {
			t.Fatal(err)
		}
		for _, p := range parts.Panels {
			if p.Type != "row" && !slices.ContainsFunc(kinds, func(k variants.PanelcfgConfig) bool { return k.Identifier == p.Type }) {
				t.Errorf("%s: %s is a %s, which this test does not support", d.UID, p.Title, p.Type)
			}
			checkStrict(t, d.UID+": "+p.Title, new(model.FieldConfigSource), p.FieldConfig)
			for _, target := range p.Targets {
				checkStrict(t, d.UID+": "+p.Title, new(queries.Dataquery), target)
			}
		}
	}
}

// checkStrict checks that a part of a dashboard has exactly the members of its type.
func checkStrict(t *testing.T, where string, part interface{ UnmarshalJSONStrict(raw []byte) error }, text json.RawMessage) {
	t.Helper()
	// An error with an empty text is no error.
	if err := part.UnmarshalJSONStrict(text); err != nil && err.Error() != "" {
		t.Errorf("%s: %v", where, err)
	}
}
