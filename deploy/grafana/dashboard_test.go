package grafana

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// dashboard is the part of Grafana's model that the tests check.
type dashboard struct {
	file string
	text []byte

	ID            any
	UID           string
	Title         string
	Description   string
	Tags          []string
	Editable      bool
	Refresh       string
	SchemaVersion int
	Inputs        any `json:"__inputs"`
	Links         []link
	Annotations   struct{ List []annotation }
	Templating    struct{ List []variable }
	Panels        []panel
}

type link struct {
	Title, Type, URL string
	Tags             []string
}

type annotation struct {
	Name, Expr string
	BuiltIn    int
	Datasource datasourceRef
}

type variable struct {
	Name, Type, Label, Description, AllValue string
	Definition                               string
	Query                                    any
	Multi                                    bool
	Datasource                               datasourceRef
}

type datasourceRef struct{ Type, UID string }

type panel struct {
	ID                       int
	Type, Title, Description string
	Datasource               datasourceRef
	GridPos                  struct{ X, Y, W, H int }
	FieldConfig              struct {
		Defaults  struct{ Unit string }
		Overrides []override
	}
	Options struct {
		YAxis struct{ Unit string } // the place of a heatmap's unit
	}
	Targets         []target
	Transformations []struct {
		ID      string
		Options struct {
			ExcludeByName map[string]bool
			RenameByName  map[string]string
		}
	}
	Links []link
}

type override struct {
	Matcher struct {
		ID      string
		Options any
	}
	Properties []struct {
		ID    string
		Value json.RawMessage
	}
}

type target struct {
	RefID, Expr, LegendFormat, Format string
	Instant                           bool
}

// loadDashboards returns the dashboards of this folder.
func loadDashboards(t *testing.T) (all []*dashboard) {
	t.Helper()
	files, err := filepath.Glob("*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no dashboards: %v", err)
	}
	for _, file := range files {
		d := &dashboard{file: file}
		if d.text, err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(d.text, d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, d)
	}
	return all
}

// query is one expression of a dashboard, with its variables.
type query struct {
	where  string // the dashboard and the panel, annotation or variable
	expr   string
	legend string
}

// queries returns all expressions of a dashboard: of panels, annotations and
// variables.
func (d *dashboard) queries() (all []query) {
	for _, p := range d.Panels {
		for _, t := range p.Targets {
			all = append(all, query{d.UID + ": " + p.Title, t.Expr, t.LegendFormat})
		}
	}
	for _, a := range d.Annotations.List {
		if a.Expr != "" {
			all = append(all, query{where: d.UID + ", annotation: " + a.Name, expr: a.Expr})
		}
	}
	for _, v := range d.Templating.List {
		if series, label, ok := v.labelValuesQuery(); ok {
			all = append(all, query{d.UID + ", variable: " + v.Name, series, "{{" + label + "}}"})
		}
	}
	return all
}
