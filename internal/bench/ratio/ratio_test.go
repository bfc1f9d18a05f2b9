package ratio_test

import (
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/internal/bench/ratio"
)

// spin does n times as much as one.
func spin(times int) func(n int) {
	return func(n int) {
		for range n * times {
			x = x*6364136223846793005 + 1442695040888963407
		}
	}
}

func allocate(n int) {
	for range n {
		p = new([64]byte)
	}
}

var (
	x uint64
	p *[64]byte
)

func TestReport(t *testing.T) {
	quick := ratio.Options{Samples: 9, Sample: 200 * time.Microsecond}
	cases := map[string]struct {
		c    ratio.Case
		kept bool
	}{
		"half the reference":          {ratio.Case{Limit: 0.9, Subject: spin(100), Reference: spin(200)}, true},
		"twice the reference":         {ratio.Case{Limit: 1.5, Subject: spin(200), Reference: spin(100)}, false},
		"twice, but not judged":       {ratio.Case{Subject: spin(200), Reference: spin(100)}, true},
		"allocates":                   {ratio.Case{Subject: allocate, Reference: allocate}, false},
		"allocates, as it may":        {ratio.Case{MaxAllocs: 1, Subject: allocate, Reference: allocate}, true},
		"allocates, but is not asked": {ratio.Case{MaxAllocs: -1, Subject: allocate, Reference: allocate}, true},
		"prepared": {ratio.Case{Limit: 1.5, Prepare: func() (subject, reference func(n int)) {
			return spin(200), spin(100)
		}}, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			c.c.Name = name
			var out strings.Builder
			require.Equal(t, c.kept, ratio.Report(&out, []ratio.Case{c.c}, quick), out.String())
			require.Equal(t, !c.kept, strings.Contains(out.String(), "missed: "+name), out.String())
		})
	}
}

func TestReportFigures(t *testing.T) {
	cases := []struct {
		name            string
		limit, measured float64
		kept            bool
	}{
		{"less", 2, 1, true},
		{"as much", 2, 2, true},
		{"more", 2, 2.1, false},
		{"nothing was there to measure", 2, math.Inf(1), false},
		{"no number", 2, math.NaN(), false},
		{"not judged", 0, 5, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			figure := ratio.Figure{Name: c.name, Limit: c.limit, Measure: func() float64 { return c.measured }}
			require.Equal(t, c.kept, ratio.ReportFigures(io.Discard, []ratio.Figure{figure}))
		})
	}
}

// A bad moment is no missed promise.
func TestReportFiguresMeasuresAgain(t *testing.T) {
	values := []float64{9, 9, 1}
	figure := ratio.Figure{Limit: 2, Measure: func() float64 {
		v := values[0]
		values = values[1:]
		return v
	}}
	require.True(t, ratio.ReportFigures(io.Discard, []ratio.Figure{figure}))
}

func TestTurns(t *testing.T) {
	var order strings.Builder
	work := func(name string) func(n int) {
		return func(int) {
			order.WriteString(name)
			time.Sleep(100 * time.Microsecond)
		}
	}
	samples := ratio.Turns(ratio.Options{Samples: 3, Sample: 50 * time.Microsecond}, work("a"), work("b"), work("c"))
	require.True(t, strings.HasSuffix(order.String(), "abcbcacab"), order.String())
	require.Len(t, samples, 3)
	for _, s := range samples {
		require.Len(t, s, 3)
		require.GreaterOrEqual(t, ratio.Median(s), 100_000.0/64) // no count is greater
	}
}

func TestMedianAndRatio(t *testing.T) {
	require.InDelta(t, 2, ratio.Median([]float64{9, 1, 2}), 0)
	require.InDelta(t, 3, ratio.Median([]float64{4, 1, 2, 9}), 0)
	// Of neighbours, not of medians: the second round was ten times slower.
	require.InDelta(t, 2, ratio.Ratio([]float64{2, 20, 2}, []float64{1, 10, 1}), 0)
}

func TestAllocs(t *testing.T) {
	require.Equal(t, ratio.Allocated{Count: 1, Bytes: 64}, ratio.Allocs(allocate))
	require.Equal(t, ratio.Allocated{}, ratio.Allocs(spin(1)))
}
