package grafana

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var writeFormatted = flag.Bool("format", false, "rewrite dashboards that Grafana has exported in the form of this repository")

// Dashboards are sorted and indented, so that a change in Grafana is a small diff.
func TestDashboardsAreFormatted(t *testing.T) {
	for _, d := range loadDashboards(t) {
		var all map[string]any
		numbers := json.NewDecoder(bytes.NewReader(d.text))
		numbers.UseNumber()
		if err := numbers.Decode(&all); err != nil {
			t.Fatal(err)
		}
		if *writeFormatted { // an export adds these for its own Grafana
			delete(all, "id")
			delete(all, "version")
		}
		var want bytes.Buffer
		e := json.NewEncoder(&want)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(all); err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(want.Bytes(), d.text) {
			continue
		}
		if !*writeFormatted {
			t.Errorf("%s is not formatted: run go test ./deploy/grafana -run TestDashboardsAreFormatted -format", d.file)
		} else if err := os.WriteFile(d.file, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// units are the Grafana units that the dashboards use. Grafana shows an unknown unit
// after each number.
var units = []string{
	"short", "none", "string", "percentunit", "s", "bytes", "Bps", "bps", "cps", "cpm", "reqps", "dateTimeFromNow",
}

func isUnit(unit string) bool {
	return slices.Contains(units, unit) || strings.HasPrefix(unit, "suffix: ")
}

// chosenDatasource is the data source of all queries, which the user selects.
var chosenDatasource = datasourceRef{"prometheus", "${datasource}"}

func TestDashboardsAreComplete(t *testing.T) {
	uids, titles := map[string]string{}, map[string]string{}
	all := loadDashboards(t)
	for _, d := range all {
		if other := uids[d.UID]; d.UID == "" || len(d.UID) > 40 || other != "" {
			t.Errorf("%s: the uid is %q, as in %q", d.file, d.UID, other)
		}
		if other := titles[d.Title]; d.Title == "" || d.Description == "" || other != "" {
			t.Errorf("%s: the title is %q, as in %q; the description %q", d.file, d.Title, other, d.Description)
		}
		uids[d.UID], titles[d.Title] = d.file, d.file
		if d.ID != nil || d.Inputs != nil {
			t.Errorf("%s: it has an id or inputs, which belong to one Grafana", d.file)
		}
		if !d.Editable || d.Refresh == "" || d.SchemaVersion < 39 || !slices.Contains(d.Tags, "onair") {
			t.Errorf("%s: editable %v, refresh %q, schema %d, tags %v", d.file, d.Editable, d.Refresh, d.SchemaVersion, d.Tags)
		}
	}
	for _, d := range all {
		d.checkLinks(t, uids)
		d.checkVariables(t)
		d.checkLayout(t)
		for _, p := range d.Panels {
			if p.Type != "row" {
				p.checkPanel(t, d.UID+": "+p.Title)
			}
		}
	}
}

// dashboardLinkPattern matches a link to a dashboard.
var dashboardLinkPattern = regexp.MustCompile(`"url": "/d/([^?/"]*)`)

// checkLinks checks that all links lead to existing dashboards.
func (d *dashboard) checkLinks(t *testing.T, uids map[string]string) {
	t.Helper()
	for _, uid := range dashboardLinkPattern.FindAllSubmatch(d.text, -1) {
		if uids[string(uid[1])] == "" {
			t.Errorf("%s: a link leads to %s, which does not exist", d.UID, uid[1])
		}
	}
	if !slices.ContainsFunc(d.Links, func(l link) bool { return l.Type == "dashboards" && slices.Contains(l.Tags, "onair") }) {
		t.Errorf("%s: it does not link to the others", d.UID)
	}
}

// variablePattern matches the use of a variable: $job, ${job}, ${job:queryparam}.
var variablePattern = regexp.MustCompile(`\$\{?([A-Za-z_]\w*)`)

// checkVariables checks that each used variable is defined, and vice versa.
func (d *dashboard) checkVariables(t *testing.T) {
	t.Helper()
	used, defined := map[string]bool{}, map[string]bool{}
	for _, name := range variablePattern.FindAllSubmatch(d.text, -1) {
		used[string(name[1])] = true
	}
	for _, v := range d.Templating.List {
		defined[v.Name] = true
		if !used[v.Name] || v.Label == "" || v.Description == "" {
			t.Errorf("%s: the variable %s is used: %v, label %q, description %q", d.UID, v.Name, used[v.Name], v.Label, v.Description)
		}
		if v.Type == "query" && v.Datasource != chosenDatasource {
			t.Errorf("%s: the variable %s has the data source %+v", d.UID, v.Name, v.Datasource)
		}
	}
	for name := range used {
		if !defined[name] && !strings.HasPrefix(name, "__") {
			t.Errorf("%s: $%s is used, but not defined", d.UID, name)
		}
	}
	for _, name := range []string{"datasource", "job"} {
		if !defined[name] {
			t.Errorf("%s: the variable %s is missing", d.UID, name)
		}
	}
	for _, a := range d.Annotations.List {
		if a.BuiltIn == 0 && a.Datasource != chosenDatasource {
			t.Errorf("%s: the annotation %s has the data source %+v", d.UID, a.Name, a.Datasource)
		}
	}
}

// checkLayout checks that panels have unique ids and do not overlap.
func (d *dashboard) checkLayout(t *testing.T) {
	t.Helper()
	ids := map[int]bool{}
	taken := map[[2]int]string{}
	for _, p := range d.Panels {
		if p.ID == 0 || ids[p.ID] || p.Title == "" {
			t.Errorf("%s: a panel %q has the id %d", d.UID, p.Title, p.ID)
		}
		ids[p.ID] = true
		g := p.GridPos
		if g.W < 1 || g.H < 1 || g.X < 0 || g.Y < 0 || g.X+g.W > 24 {
			t.Errorf("%s: %s has the position %+v", d.UID, p.Title, g)
		}
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					t.Errorf("%s: %s overlaps %s", d.UID, p.Title, other)
					return
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
}

// checkPanel checks that a panel has a description, a unit and valid queries.
func (p *panel) checkPanel(t *testing.T, where string) {
	t.Helper()
	if len(p.Description) < 20 || !strings.HasSuffix(p.Description, ".") {
		t.Errorf("%s: the description is %q", where, p.Description)
	}
	if p.Datasource != chosenDatasource || len(p.Targets) == 0 {
		t.Errorf("%s: data source %+v, %d queries", where, p.Datasource, len(p.Targets))
	}
	if !isUnit(p.FieldConfig.Defaults.Unit) || p.Type == "heatmap" && !isUnit(p.Options.YAxis.Unit) {
		t.Errorf("%s: the unit is %q", where, p.FieldConfig.Defaults.Unit)
	}
	refs := map[string]bool{}
	for _, target := range p.Targets {
		if target.RefID == "" || refs[target.RefID] || target.Expr == "" {
			t.Errorf("%s: the query %q is %q", where, target.RefID, target.Expr)
		}
		refs[target.RefID] = true
		if p.Type == "timeseries" && target.LegendFormat == "" {
			t.Errorf("%s: a query without a legend", where)
		}
		// A stat that is not instant shows its last value, even if it is old.
		if wantInstant := p.Type == "stat" || p.Type == "table"; wantInstant != target.Instant {
			t.Errorf("%s: instant is %v", where, target.Instant)
		}
	}
	p.checkOverrides(t, where)
}

// checkOverrides checks that each column of a table has its own unit, and that
// overrides name existing columns.
func (p *panel) checkOverrides(t *testing.T, where string) {
	t.Helper()
	hasUnit := map[string]bool{} // by column
	for _, change := range p.Transformations {
		for from, to := range change.Options.RenameByName {
			if !change.Options.ExcludeByName[from] {
				hasUnit[to] = false
			}
		}
	}
	for _, o := range p.FieldConfig.Overrides {
		name, _ := o.Matcher.Options.(string)
		if _, ok := hasUnit[name]; p.Type == "table" && !ok {
			t.Errorf("%s: the column %q does not exist", where, name)
		}
		for _, property := range o.Properties {
			if property.ID != "unit" {
				continue
			}
			var unit string
			if err := json.Unmarshal(property.Value, &unit); err != nil || !isUnit(unit) {
				t.Errorf("%s: the unit of %s is %s", where, name, property.Value)
			}
			hasUnit[name] = true
		}
	}
	if p.Type != "table" {
		return
	}
	for name, has := range hasUnit {
		if !has {
			t.Errorf("%s: the column %q has no unit", where, name)
		}
	}
}
