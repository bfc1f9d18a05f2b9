package ratio_test

import (
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/internal/bench/ratio"
)

// lasting returns work that takes this long. In a bubble of synctest it takes
// exactly that.
func lasting(d time.Duration) func(n int) {
	return func(n int) { time.Sleep(time.Duration(n) * d) }
}

// allocating is lasting with one allocation.
func allocating(d time.Duration) func(n int) {
	return func(n int) {
		for range n {
			p = new([64]byte)
		}
		time.Sleep(time.Duration(n) * d)
	}
}

var p *[64]byte

func TestReport(t *testing.T) {
	const us = time.Microsecond
	cases := map[string]struct {
		c    ratio.Case
		kept bool
	}{
		"less":                        {ratio.Case{Limit: 1.5, Subject: lasting(140 * us), Reference: lasting(100 * us)}, true},
		"more":                        {ratio.Case{Limit: 1.5, Subject: lasting(160 * us), Reference: lasting(100 * us)}, false},
		"more, but not judged":        {ratio.Case{Subject: lasting(160 * us), Reference: lasting(100 * us)}, true},
		"allocates":                   {ratio.Case{Subject: allocating(us), Reference: lasting(us)}, false},
		"allocates, as it may":        {ratio.Case{MaxAllocs: 1, Subject: allocating(us), Reference: lasting(us)}, true},
		"allocates, but is not asked": {ratio.Case{MaxAllocs: -1, Subject: allocating(us), Reference: lasting(us)}, true},
		"prepared": {ratio.Case{Limit: 1.5, Prepare: func() (subject, reference func(n int)) {
			return lasting(160 * us), lasting(100 * us)
		}}, false},
		"longer than its sample": {ratio.Case{Limit: 1.5, Sample: us, Subject: lasting(16 * us), Reference: lasting(10 * us)}, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			c.c.Name = name
			var out strings.Builder
			synctest.Test(t, func(t *testing.T) {
				require.Equal(t, c.kept, ratio.Report(&out, []ratio.Case{c.c}, ratio.Options{}), out.String())
			})
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

// A bad moment is no missed promise, and it may be longer than what was measured
// in it.
func TestReportFiguresMeasuresAgain(t *testing.T) {
	var order strings.Builder
	figure := func(name string, values ...float64) ratio.Figure {
		return ratio.Figure{Limit: 2, Measure: func() float64 {
			order.WriteString(name)
			v := values[0]
			values = values[1:]
			return v
		}}
	}
	require.True(t, ratio.ReportFigures(io.Discard, []ratio.Figure{figure("a", 9, 9, 1), figure("b", 1), figure("c", 9, 1)}))
	require.Equal(t, "abcaca", order.String())
}

func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var order strings.Builder
		work := func(name string, d time.Duration) func(n int) {
			return func(n int) {
				order.WriteString(name)
				time.Sleep(time.Duration(n) * d)
			}
		}
		o := ratio.Options{Samples: 3, Sample: 8 * time.Millisecond}
		samples := ratio.Turns(o, work("a", time.Millisecond), work("b", time.Second), work("c", time.Microsecond))
		require.True(t, strings.HasSuffix(order.String(), "abcbcacab"), order.String())
		require.Equal(t, [][]float64{{1e6, 1e6, 1e6}, {1e9, 1e9, 1e9}, {1e3, 1e3, 1e3}}, samples)
	})
}

func TestMedianAndRatio(t *testing.T) {
	require.InDelta(t, 2, ratio.Median([]float64{9, 1, 2}), 0)
	require.InDelta(t, 3, ratio.Median([]float64{4, 1, 2, 9}), 0)
	// Of neighbours, not of medians: the second round was ten times slower.
	require.InDelta(t, 2, ratio.Ratio([]float64{2, 20, 2}, []float64{1, 10, 1}), 0)
}

func TestAllocs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		require.Equal(t, ratio.Allocated{Count: 1, Bytes: 64}, ratio.Allocs(allocating(time.Microsecond)))
		require.Equal(t, ratio.Allocated{}, ratio.Allocs(lasting(time.Microsecond)))
	})
}

func TestFaster(t *testing.T) {
	reference := slices.Repeat([]float64{10}, 21)
	// A coin shows heads 16 times of 21 or more in 1.3 percent of all cases, and 17
	// times in 0.4.
	for wins, want := range map[int]bool{0: false, 11: false, 16: false, 17: true, 21: true} {
		subject := slices.Concat(slices.Repeat([]float64{9.9}, wins), slices.Repeat([]float64{10, 99}, 21)[:21-wins])
		require.Equal(t, wins, ratio.Wins(subject, reference))
		require.Equal(t, want, ratio.Faster(subject, reference), "%d wins", wins)
	}
	require.False(t, ratio.Faster(nil, nil))
	require.False(t, ratio.Faster(make([]float64, 6), reference))
	require.True(t, ratio.Faster(make([]float64, 7), reference))
}
