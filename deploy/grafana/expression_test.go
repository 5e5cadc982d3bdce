package grafana

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/VictoriaMetrics/metricsql"
)

// lists gives the selector and the label of a variable that lists a label's values.
func (v *variable) lists() (series, label string, ok bool) {
	m := regexp.MustCompile(`^label_values\((.+), (\w+)\)$`).FindStringSubmatch(v.Definition)
	if m == nil {
		return "", "", false
	}
	return m[1], m[2], true
}

// filled puts values where an expression has variables, as Grafana does.
func filled(expr, job, node string) string {
	return strings.NewReplacer(
		"$__rate_interval", "1m", `instance=~"$node"`, `instance=~".*"`, `list=~"$list"`, `list=~".*"`, "$job", job, "$node", node,
	).Replace(expr)
}

// reader reads expressions, and notes what in them is not as servers have it.
type reader struct {
	told   scrape
	faults []string
	seen   map[string]bool // names of series
}

func (r *reader) fault(format string, args ...any) {
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

// read checks an expression, and that what it gives has the labels of its legend.
func (r *reader) read(expr, legend string) {
	e, err := metricsql.Parse(expr)
	if err != nil {
		r.fault("%v", err)
		return
	}
	has := r.labels(e, nil)
	for _, label := range regexp.MustCompile(`{{(\w+)}}`).FindAllStringSubmatch(legend, -1) {
		if !has[label[1]] {
			r.fault("the legend %s names a label that is not there: %v", legend, slices.Sorted(maps.Keys(has)))
		}
	}
}

type set = map[string]bool

// labels are those that an expression's result has. within is the aggregation that
// it stands in, if any.
func (r *reader) labels(e metricsql.Expr, within *metricsql.AggrFuncExpr) set {
	switch e := e.(type) {
	case *metricsql.MetricExpr:
		return r.selected(e, within)
	case *metricsql.RollupExpr:
		return r.labels(e.Expr, within)
	case *metricsql.FuncExpr:
		return r.called(e, within)
	case *metricsql.AggrFuncExpr:
		return r.aggregated(e)
	case *metricsql.BinaryOpExpr:
		left, right := r.labels(e.Left, within), r.labels(e.Right, within)
		if len(e.GroupModifier.Args) > 0 {
			r.fault("%s: the test does not know on and ignoring", e.Op)
		}
		if len(left) == 0 {
			return right
		}
		return left
	case *metricsql.NumberExpr:
		return nil
	}
	r.fault("the test does not know %T", e)
	return nil
}

func (r *reader) called(e *metricsql.FuncExpr, within *metricsql.AggrFuncExpr) set {
	out := set{}
	for _, arg := range e.Args {
		maps.Copy(out, r.labels(arg, within))
	}
	if e.Name == "histogram_quantile" {
		if !out["le"] {
			r.fault("a quantile of what has no le")
		}
		delete(out, "le")
	}
	return out
}

func (r *reader) aggregated(e *metricsql.AggrFuncExpr) set {
	inner := set{}
	for _, arg := range e.Args {
		maps.Copy(inner, r.labels(arg, e))
	}
	if e.Modifier.Op != "by" {
		if e.Modifier.Op != "" {
			r.fault("%s: the test does not know %s", e.Name, e.Modifier.Op)
		}
		return nil
	}
	out := set{}
	for _, label := range e.Modifier.Args {
		if out[label] = true; !inner[label] {
			r.fault("%s by %s, which is no label of it", e.Name, label)
		}
	}
	return out
}

// selected checks a selector: its metric, its labels, and that there are such values.
func (r *reader) selected(e *metricsql.MetricExpr, within *metricsql.AggrFuncExpr) set {
	if len(e.LabelFilterss) != 1 || len(e.LabelFilterss[0]) == 0 || e.LabelFilterss[0][0].Label != "__name__" {
		r.fault("the test knows no selector such as %s", e.AppendString(nil))
		return nil
	}
	name, filters := e.LabelFilterss[0][0].Value, e.LabelFilterss[0][1:]
	s := r.told[name]
	if s == nil {
		r.fault("no server has %s", name)
		return nil
	}
	r.seen[name] = true
	onOne := false
	for _, f := range filters {
		switch {
		case s.values[f.Label] == nil:
			r.fault("%s has no label %s", name, f.Label)
		case !s.has(&f):
			r.fault("%s has no %s like %q", name, f.Label, f.Value)
		}
		onOne = onOne || f.Label == "instance" && !f.IsRegexp
	}
	if s.alike && !onOne {
		r.alone(name, within)
	}
	out := set{}
	for label := range s.values {
		out[label] = true
	}
	return out
}

// alone: what all nodes count alike is taken of one, and not added up.
func (r *reader) alone(name string, within *metricsql.AggrFuncExpr) {
	switch {
	case within == nil, within.Name == "max", within.Name == "min", slices.Contains(within.Modifier.Args, "instance"):
	default:
		r.fault("%s of %s, which all nodes count alike", within.Name, name)
	}
}

// has reports whether a series has a value that a filter names.
func (s *series) has(f *metricsql.LabelFilter) bool {
	like := regexp.QuoteMeta(f.Value)
	if f.IsRegexp {
		like = f.Value
	}
	pattern, err := regexp.Compile("^(?:" + like + ")$")
	if err != nil {
		return false
	}
	for value := range s.values[f.Label] {
		if pattern.MatchString(value) {
			return true
		}
	}
	return false
}
