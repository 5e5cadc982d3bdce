package grafana

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/VictoriaMetrics/metricsql"
)

// labelValuesQuery returns the selector and the label of a variable that lists the
// values of a label.
func (v *variable) labelValuesQuery() (series, label string, ok bool) {
	m := regexp.MustCompile(`^label_values\((.+), (\w+)\)$`).FindStringSubmatch(v.Definition)
	if m == nil {
		return "", "", false
	}
	return m[1], m[2], true
}

// replaceVariables replaces the variables of an expression, as Grafana does.
func replaceVariables(expr, job, node string) string {
	return strings.NewReplacer(
		"$__rate_interval", "1m", `instance=~"$node"`, `instance=~".*"`, `list=~"$list"`, `list=~".*"`, "$job", job, "$node", node,
	).Replace(expr)
}

// exprChecker checks expressions against the metrics of servers.
type exprChecker struct {
	scraped   scrape
	faults    []string
	usedNames map[string]bool // names of series in expressions
}

func (r *exprChecker) addFault(format string, args ...any) {
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

// checkExpr checks an expression, and that its result has the labels of its legend.
func (r *exprChecker) checkExpr(expr, legend string) {
	e, err := metricsql.Parse(expr)
	if err != nil {
		r.addFault("%v", err)
		return
	}
	labels := r.resultLabels(e, nil)
	for _, label := range regexp.MustCompile(`{{(\w+)}}`).FindAllStringSubmatch(legend, -1) {
		if !labels[label[1]] {
			r.addFault("the legend %s names a label that the result lacks: %v", legend, slices.Sorted(maps.Keys(labels)))
		}
	}
}

type stringSet = map[string]bool

// resultLabels returns the labels of an expression's result. within is the
// aggregation around it, or nil.
func (r *exprChecker) resultLabels(e metricsql.Expr, within *metricsql.AggrFuncExpr) stringSet {
	switch e := e.(type) {
	case *metricsql.MetricExpr:
		return r.selectorLabels(e, within)
	case *metricsql.RollupExpr:
		return r.resultLabels(e.Expr, within)
	case *metricsql.FuncExpr:
		return r.functionLabels(e, within)
	case *metricsql.AggrFuncExpr:
		return r.aggregationLabels(e)
	case *metricsql.BinaryOpExpr:
		left, right := r.resultLabels(e.Left, within), r.resultLabels(e.Right, within)
		if len(e.GroupModifier.Args) > 0 {
			r.addFault("%s: this test does not support on and ignoring", e.Op)
		}
		if len(left) == 0 {
			return right
		}
		return left
	case *metricsql.NumberExpr:
		return nil
	}
	r.addFault("this test does not support %T", e)
	return nil
}

func (r *exprChecker) functionLabels(e *metricsql.FuncExpr, within *metricsql.AggrFuncExpr) stringSet {
	out := stringSet{}
	for _, arg := range e.Args {
		maps.Copy(out, r.resultLabels(arg, within))
	}
	if e.Name == "histogram_quantile" {
		if !out["le"] {
			r.addFault("histogram_quantile of a series without the label le")
		}
		delete(out, "le")
	}
	return out
}

func (r *exprChecker) aggregationLabels(e *metricsql.AggrFuncExpr) stringSet {
	inner := stringSet{}
	for _, arg := range e.Args {
		maps.Copy(inner, r.resultLabels(arg, e))
	}
	if e.Modifier.Op != "by" {
		if e.Modifier.Op != "" {
			r.addFault("%s: this test does not support %s", e.Name, e.Modifier.Op)
		}
		return nil
	}
	out := stringSet{}
	for _, label := range e.Modifier.Args {
		if out[label] = true; !inner[label] {
			r.addFault("%s by %s, which is not one of its labels", e.Name, label)
		}
	}
	return out
}

// selectorLabels checks the metric, the labels and the values of a selector, and
// returns the metric's labels.
func (r *exprChecker) selectorLabels(e *metricsql.MetricExpr, within *metricsql.AggrFuncExpr) stringSet {
	if len(e.LabelFilterss) != 1 || len(e.LabelFilterss[0]) == 0 || e.LabelFilterss[0][0].Label != "__name__" {
		r.addFault("this test does not support the selector %s", e.AppendString(nil))
		return nil
	}
	name, filters := e.LabelFilterss[0][0].Value, e.LabelFilterss[0][1:]
	s := r.scraped[name]
	if s == nil {
		r.addFault("no server has %s", name)
		return nil
	}
	r.usedNames[name] = true
	hasOneInstance := false
	for _, f := range filters {
		switch {
		case s.values[f.Label] == nil:
			r.addFault("%s has no label %s", name, f.Label)
		case !s.matchesFilter(&f):
			r.addFault("%s has no %s like %q", name, f.Label, f.Value)
		}
		hasOneInstance = hasOneInstance || f.Label == "instance" && !f.IsRegexp
	}
	if s.isSameOnAllNodes && !hasOneInstance {
		r.checkNotSummed(name, within)
	}
	out := stringSet{}
	for label := range s.values {
		out[label] = true
	}
	return out
}

// checkNotSummed checks that an aggregation does not add up a metric that has the
// same value on all nodes.
func (r *exprChecker) checkNotSummed(name string, within *metricsql.AggrFuncExpr) {
	switch {
	case within == nil, within.Name == "max", within.Name == "min", slices.Contains(within.Modifier.Args, "instance"):
	default:
		r.addFault("%s of %s, which has the same value on all nodes", within.Name, name)
	}
}

// matchesFilter reports whether a series has a value that f selects.
func (s *series) matchesFilter(f *metricsql.LabelFilter) bool {
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
