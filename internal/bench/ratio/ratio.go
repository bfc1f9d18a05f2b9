// Package ratio measures pieces of code against each other in one process, in
// turns, so that a shared and noisy machine disturbs both alike. What it
// judges are ratios of medians; the absolute figures beside them are only
// there to be read.
package ratio

import (
	"fmt"
	"io"
	"runtime"
	"slices"
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
}

// Measure runs one case: both sides in turns, the order swapped each time.
func Measure(c Case, o Options) Result {
	if o.Samples == 0 {
		o.Samples = 25
	}
	if o.Sample == 0 {
		o.Sample = 4 * time.Millisecond
	}
	sn, rn := calibrate(c.Subject, o.Sample), calibrate(c.Reference, o.Sample)
	var subject, reference, ratios []float64
	for i := range o.Samples {
		var s, r float64
		if i%2 == 0 {
			s, r = sample(c.Subject, sn), sample(c.Reference, rn)
		} else {
			r, s = sample(c.Reference, rn), sample(c.Subject, sn)
		}
		subject, reference, ratios = append(subject, s), append(reference, r), append(ratios, s/r)
	}
	return Result{
		Case: c, Subject: median(subject), Reference: median(reference),
		Ratio: median(ratios), Allocs: allocs(c.Subject),
	}
}

// Report measures all cases, prints a table and says whether every promise
// held. A case that misses its limit is measured again, at most twice, before
// it counts as missed: a machine that others use has bad moments.
func Report(w io.Writer, cases []Case, o Options) bool {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "case\tsubject ns\treference ns\tratio\tat most\tallocs\t")
	var missed []string
	for _, c := range cases {
		r := Measure(c, o)
		for again := 0; !r.OK() && again < 2; again++ {
			r = Measure(c, o)
		}
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

func calibrate(f func(int), want time.Duration) int {
	for n := 1; ; n *= 2 {
		start := time.Now()
		f(n)
		if took := time.Since(start); took >= want/2 {
			return max(1, int(float64(n)*float64(want)/float64(took)))
		}
	}
}

func sample(f func(int), n int) float64 {
	start := time.Now()
	f(n)
	return float64(time.Since(start).Nanoseconds()) / float64(n)
}

func median(v []float64) float64 {
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// allocs counts like testing.AllocsPerRun, whole allocations only.
func allocs(f func(int)) float64 {
	const n = 1000
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	f(1)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f(n)
	runtime.ReadMemStats(&after)
	return float64((after.Mallocs - before.Mallocs) / n)
}
