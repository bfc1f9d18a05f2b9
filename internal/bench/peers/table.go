package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/latchwork/latchwork/internal/bench/ratio"
)

// A table compares ways of doing one job. The first row is ours.
type table struct {
	job   string
	brief string // job for the short table of the README; empty: not in it
	rows  []row
}

// A row is one way.
type row struct {
	who string

	// lacks says what of the job is left to others. Empty: nothing is, and we
	// promise to be faster.
	lacks string

	// yardstick is for what is no library: it may be faster.
	yardstick bool

	// brief is who for the short table. Empty: not in it.
	brief string

	work func(n int) // does it n times
}

// A measured row is what came of it.
type measured struct {
	row

	ns     float64 // of one operation, median
	times  float64 // as much as ours
	allocs ratio.Allocated
}

// measure lets all rows have turns.
func (t table) measure(o ratio.Options) []measured {
	works := make([]func(int), len(t.rows))
	for i, r := range t.rows {
		works[i] = r.work
	}
	samples := ratio.Turns(o, works...)
	all := make([]measured, len(t.rows))
	for i, r := range t.rows {
		all[i] = measured{
			row: r, ns: ratio.Median(samples[i]),
			times: ratio.Ratio(samples[i], samples[0]), allocs: ratio.Allocs(r.work),
		}
	}
	return all
}

// behind names the peers that do the whole job and are faster than we are.
func behind(rows []measured) (faster []string) {
	for _, m := range rows[1:] {
		if m.lacks == "" && !m.yardstick && m.times < 1 {
			faster = append(faster, m.who)
		}
	}
	return faster
}

// markdown writes everything that was measured.
func (t table) markdown(w io.Writer, rows []measured) {
	fmt.Fprintf(w, "\n### %s\n\n", t.job)
	fmt.Fprintln(w, "| | time | times ours | allocations | bytes | what it leaves to others |")
	fmt.Fprintln(w, "|---|---:|---:|---:|---:|---|")
	for _, m := range rows {
		fmt.Fprintf(w, "| %s | %s | %s | %.0f | %.0f | %s |\n",
			m.who, duration(m.ns), times(m.times), m.allocs.Count, m.allocs.Bytes, m.lacks)
	}
}

// line returns the table's line in the short table, if it has one.
func (t table) line(rows []measured) []string {
	if t.brief == "" {
		return nil
	}
	var others []string
	for _, m := range rows[1:] {
		if m.brief == "" {
			continue
		}
		other := m.brief + " " + times(m.times)
		if m.lacks != "" {
			other += " (" + m.lacks + ")"
		}
		others = append(others, other)
	}
	return []string{fmt.Sprintf("| %s | %s, %.0f allocations | %s |\n",
		t.brief, duration(rows[0].ns), rows[0].allocs.Count, strings.Join(others, ", "))}
}

// duration writes nanoseconds with three digits.
func duration(ns float64) string {
	switch {
	case ns < 1e3:
		return fmt.Sprintf("%.3g ns", ns)
	case ns < 1e6:
		return fmt.Sprintf("%.3g µs", ns/1e3)
	case ns < 1e9:
		return fmt.Sprintf("%.3g ms", ns/1e6)
	default:
		return fmt.Sprintf("%.3g s", ns/1e9)
	}
}

// times writes a ratio with two digits, or what there is before the point.
func times(v float64) string {
	if v < 10 {
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.0f", v)
}
