// Package ratio measures pieces of code against each other in one process, in
// turns, so that a shared and noisy machine disturbs both alike. What it
// judges are ratios of medians; the absolute figures beside them are only
// there to be read.
package ratio

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// A Case holds one promise: Subject costs at most Limit times Reference.
type Case struct {
	Name  string
	Limit float64 // 0: reported, not judged

	// MaxAllocs is the most allocations one Subject may make.
	// Negative: reported, not judged.
	MaxAllocs float64

	// Subject and Reference do their work n times and nothing else.
	Subject, Reference func(n int)

	// Prepare makes both when it is the case's turn: for what needs much
	// memory or time. Nil: they are there already.
	Prepare func() (subject, reference func(n int))

	// Sample is how long a sample takes, where the work needs it to be
	// longer. Zero: as the Options say.
	Sample time.Duration
}

// A Result is what was measured of a Case. Times are nanoseconds for one
// operation.
type Result struct {
	Case               Case
	Subject, Reference float64 // medians
	Ratio              float64 // median of the ratios of neighbouring samples
	Allocs             float64 // for one Subject
}

// OK reports whether the promise held.
func (r Result) OK() bool {
	if r.Case.Limit > 0 && r.Ratio > r.Case.Limit {
		return false
	}
	return r.Case.MaxAllocs < 0 || r.Allocs <= r.Case.MaxAllocs
}

// Options say how carefully to measure. The zero value takes 25 samples of
// 4 ms each.
type Options struct {
	Samples int
	Sample  time.Duration

	// Clock says how much time was taken so far. Nil: as much as has passed.
	Clock func() time.Duration
}

// Measure runs one case: both sides in turns.
func Measure(c Case, o Options) Result {
	result := Result{Case: c} // without what was prepared
	if c.Prepare != nil {
		c.Subject, c.Reference = c.Prepare()
	}
	if c.Sample > 0 {
		o.Sample = c.Sample
	}
	samples := Turns(o, c.Subject, c.Reference)
	result.Subject, result.Reference = Median(samples[0]), Median(samples[1])
	result.Ratio, result.Allocs = Ratio(samples[0], samples[1]), Allocs(c.Subject).Count
	return result
}

// Report measures all cases, prints a table and says whether every promise
// held. Those that miss their limits are measured again when all have been, at most
// twice, before they count as missed: a machine that others use has bad moments.
func Report(w io.Writer, cases []Case, o Options) bool {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "case\tsubject ns\treference ns\tratio\tat most\tallocs\t")
	var missed []string
	results := attempts(cases, func(c Case) Result { return Measure(c, o) }, Result.OK)
	for i, c := range cases {
		r := results[i]
		limit, verdict := "-", ""
		if c.Limit > 0 {
			limit = fmt.Sprintf("%.2f", c.Limit)
		}
		if !r.OK() {
			verdict = "MISSED"
			missed = append(missed, c.Name)
		}
		fmt.Fprintf(tw, "%s\t%.1f\t%.1f\t%.2f\t%s\t%.0f\t%s\n",
			c.Name, r.Subject, r.Reference, r.Ratio, limit, r.Allocs, verdict)
	}
	_ = tw.Flush() // to a terminal or a file: what matters is returned
	if len(missed) > 0 {
		fmt.Fprintln(w, "missed:", strings.Join(missed, "; "))
	}
	return len(missed) == 0
}

// attempts measures each thing, and those that are not all right again after all
// others, at most twice.
func attempts[T, R any](things []T, measure func(T) R, ok func(R) bool) []R {
	results := make([]R, len(things))
	for attempt := range 3 {
		for i, thing := range things {
			if attempt == 0 || !ok(results[i]) {
				results[i] = measure(thing)
			}
		}
	}
	return results
}
