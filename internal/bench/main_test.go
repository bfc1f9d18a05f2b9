package main

import (
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/internal/bench/loopback"
	"github.com/latchwork/latchwork/internal/bench/ratio"
)

// Measuring starts this program again as the server.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-serve" {
		if err := loopback.Serve(loopbackChains(), os.Args[2:]); err != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// Every case does its work: both sides panic if they are not let through.
func TestCases(t *testing.T) {
	names := map[string]bool{}
	for _, c := range allPromises() {
		require.False(t, names[c.Name], "%s stands twice", c.Name)
		names[c.Name] = true
		if strings.Contains(c.Name, "1,000,000") {
			continue // as with a thousand
		}
		if c.Prepare != nil {
			c.Subject, c.Reference = c.Prepare()
		}
		c.Subject(2)
		c.Reference(2)
	}
}

// The figures are numbers. In so few samples the difference of two of them can
// even be negative.
func TestIssueFigures(t *testing.T) {
	for _, f := range issueFigures(ratio.Options{Samples: 3, Sample: time.Millisecond}) {
		v := f.Measure()
		require.False(t, math.IsNaN(v) || math.IsInf(v, 0), "%s: %v", f.Name, v)
	}
}

func TestLoopback(t *testing.T) {
	chains := loopbackChains()
	results, err := loopback.Measure(chains, loopback.Options{Starts: 2, Turns: 3, Requests: 200, Connections: 4})
	require.NoError(t, err)
	require.Len(t, results, len(chains))
	for i, r := range results {
		require.Equal(t, chains[i].Name, r.Name)
		require.Len(t, r.CPU, 6)
		for _, rate := range r.Rate {
			require.Positive(t, rate)
		}
	}
	_, err = loopback.Measure([]loopback.Chain{{Name: "nobody's"}}, loopback.Options{Starts: 1, Turns: 1, Requests: 1, Connections: 1})
	require.ErrorContains(t, err, "nobody's")
}
