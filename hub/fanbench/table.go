//go:build linux

package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
)

// figure is one line of the table, measured in each round.
type figure struct {
	name   string
	unit   string
	format int // digits behind the point
	bar    float64
	aim    float64
	least  bool // bar is the least, not the most
	values []float64
}

// none is the bar of what is only shown.
const none = -1

func (f *figure) add(v float64) { f.values = append(f.values, v) }

func (f *figure) median() float64 {
	all := slices.Sorted(slices.Values(f.values))
	if len(all) == 0 {
		return 0
	}
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}

func (f *figure) number(v float64) string { return strconv.FormatFloat(v, 'f', f.format, 64) }

func (f *figure) barText() string {
	switch {
	case f.bar == none:
		return "–"
	case f.least:
		return "≥ " + f.number(f.bar)
	case f.aim != none:
		return fmt.Sprintf("≤ %s (aim %s)", f.number(f.bar), f.number(f.aim))
	}
	return "≤ " + f.number(f.bar)
}

func (f *figure) verdict() string {
	m := f.median()
	switch {
	case f.bar == none:
		return ""
	case f.least && m < f.bar, !f.least && m > f.bar:
		return "**missed**"
	case f.aim != none && m <= f.aim:
		return "met, aim too"
	}
	return "met"
}

// table has the figures in the order in which they were asked for.
type table struct {
	figures []*figure
	notes   []string
}

// figure adds a line.
func (t *table) figure(name, unit string, format int, bar, aim float64) *figure {
	f := &figure{name: name, unit: unit, format: format, bar: bar, aim: aim}
	t.figures = append(t.figures, f)
	return f
}

func (t *table) note(format string, args ...any) {
	t.notes = append(t.notes, fmt.Sprintf(format, args...))
}

// print writes the table as Markdown.
func (t *table) print(w io.Writer) {
	fmt.Fprintln(w, "| figure | bar | median [least–most] | verdict |\n|---|---|---|---|")
	for _, f := range t.figures {
		if len(f.values) == 0 {
			continue
		}
		fmt.Fprintf(w, "| %s | %s | %s [%s–%s] %s | %s |\n", f.name, f.barText(),
			f.number(f.median()), f.number(slices.Min(f.values)), f.number(slices.Max(f.values)), f.unit, f.verdict())
	}
	fmt.Fprintln(w)
	for _, n := range t.notes {
		fmt.Fprintln(w, "-", n)
	}
}
