//go:build linux

package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
)

// figure is one line of the table, with a value of each round.
type figure struct {
	name      string
	unit      string
	digits    int     // after the decimal point
	bar       float64 // the median must not exceed it; noBar: no bar
	aim       float64 // a better value than bar; noBar: no aim
	isMinimum bool    // the median must not be below bar
	values    []float64
}

// noBar is the bar of a figure without a verdict.
const noBar = -1

func (f *figure) addValue(v float64) { f.values = append(f.values, v) }

func (f *figure) median() float64 {
	sorted := slices.Sorted(slices.Values(f.values))
	if len(sorted) == 0 {
		return 0
	}
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

func (f *figure) formatNumber(v float64) string { return strconv.FormatFloat(v, 'f', f.digits, 64) }

func (f *figure) barText() string {
	switch {
	case f.bar == noBar:
		return "–"
	case f.isMinimum:
		return "≥ " + f.formatNumber(f.bar)
	case f.aim != noBar:
		return fmt.Sprintf("≤ %s (aim %s)", f.formatNumber(f.bar), f.formatNumber(f.aim))
	}
	return "≤ " + f.formatNumber(f.bar)
}

func (f *figure) verdict() string {
	m := f.median()
	switch {
	case f.bar == noBar:
		return ""
	case f.isMinimum && m < f.bar, !f.isMinimum && m > f.bar:
		return "**missed**"
	case f.aim != noBar && m <= f.aim:
		return "met, aim too"
	}
	return "met"
}

// table is the figures in the order of addFigure.
type table struct {
	figures []*figure
	notes   []string
}

func (t *table) addFigure(name, unit string, digits int, bar, aim float64) *figure {
	f := &figure{name: name, unit: unit, digits: digits, bar: bar, aim: aim}
	t.figures = append(t.figures, f)
	return f
}

func (t *table) addNote(format string, args ...any) {
	t.notes = append(t.notes, fmt.Sprintf(format, args...))
}

// writeMarkdown writes the table as Markdown.
func (t *table) writeMarkdown(w io.Writer) {
	fmt.Fprintln(w, "| figure | bar | median [least–most] | verdict |\n|---|---|---|---|")
	for _, f := range t.figures {
		if len(f.values) == 0 {
			continue
		}
		fmt.Fprintf(w, "| %s | %s | %s [%s–%s] %s | %s |\n", f.name, f.barText(),
			f.formatNumber(f.median()), f.formatNumber(slices.Min(f.values)), f.formatNumber(slices.Max(f.values)), f.unit, f.verdict())
	}
	fmt.Fprintln(w)
	for _, n := range t.notes {
		fmt.Fprintln(w, "-", n)
	}
}
