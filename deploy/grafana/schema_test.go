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

// TestSchema: Grafana knows each member of each dashboard, panel and query, and finds
// those that it must. What it does not know it would leave out without a word.
func TestSchema(t *testing.T) {
	kinds := []variants.PanelcfgConfig{
		heatmap.VariantConfig(), stat.VariantConfig(), statetimeline.VariantConfig(), table.VariantConfig(), timeseries.VariantConfig(),
	}
	known := cog.NewRuntime()
	known.RegisterDataqueryVariant(queries.VariantConfig())
	for _, kind := range kinds {
		known.RegisterPanelcfgVariant(kind)
	}
	for _, d := range dashboards(t) {
		//lint:ignore SA1019 the schema after this one is not Grafana 11's
		know(t, d.file, new(model.Dashboard), d.text)
		// Of these two the above takes whatever there is.
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
				t.Errorf("%s: %s is a %s, which this test does not know", d.UID, p.Title, p.Type)
			}
			know(t, d.UID+": "+p.Title, new(model.FieldConfigSource), p.FieldConfig)
			for _, target := range p.Targets {
				know(t, d.UID+": "+p.Title, new(queries.Dataquery), target)
			}
		}
	}
}

// know wants a part of a dashboard to have what its type has, and nothing else.
func know(t *testing.T, where string, part interface{ UnmarshalJSONStrict(raw []byte) error }, text json.RawMessage) {
	t.Helper()
	// An error that says nothing is none.
	if err := part.UnmarshalJSONStrict(text); err != nil && err.Error() != "" {
		t.Errorf("%s: %v", where, err)
	}
}
