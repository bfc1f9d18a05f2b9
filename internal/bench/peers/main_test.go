package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/internal/bench/loopback"
	"github.com/latchwork/latchwork/internal/bench/ratio"
)

// Measuring starts this program again as a server.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-serve" {
		if err := loopback.Serve(loopbackChains(), os.Args[2:]); err != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// Every row does its work: it panics if something is refused.
func TestRows(t *testing.T) {
	for _, job := range jobs {
		table := job.table()
		require.Empty(t, table.rows[0].lacks, "the first row is ours: %s", table.job)
		for _, r := range table.rows {
			r.work(2)
		}
	}
}

func TestLoopback(t *testing.T) {
	results, err := loopback.Measure(loopbackChains(), loopback.Options{Starts: 1, Turns: 1, Requests: 64, Connections: 2})
	require.NoError(t, err)
	require.Len(t, results, len(chains())+1)
	var out strings.Builder
	loopbackMarkdown(&out, results)
	require.Equal(t, len(results)+5, strings.Count(out.String(), "\n"))
	require.Contains(t, loopbackLine(results), "echo key-auth ")
}

func TestBehindLoopback(t *testing.T) {
	const turns = 21
	results := []loopback.Result{{CPU: slices.Repeat([]float64{100}, turns)}}
	for range chains() {
		results = append(results, loopback.Result{CPU: slices.Repeat([]float64{110}, turns)})
	}
	require.Empty(t, behindLoopback(results))
	for i := range turns {
		results[2].CPU[i] = 100                      // what is by hand may be
		results[3].CPU[i] = 105 + float64(i%3/2)*500 // in two of three: can be chance
	}
	require.Empty(t, behindLoopback(results))
	for i := range turns {
		results[4].CPU[i] = 109
	}
	require.Equal(t, []string{chains()[3].name + " over HTTP"}, behindLoopback(results))
}

func sleep(d time.Duration) func(n int) {
	return func(n int) { time.Sleep(time.Duration(n) * d) }
}

func TestTable(t *testing.T) {
	table := table{job: "The job", brief: "a job", rows: []row{
		{who: "Latchwork", work: sleep(time.Millisecond)},
		{who: "slower v1", brief: "slower", work: sleep(20 * time.Millisecond)},
		{who: "half", brief: "half", lacks: "the other half", work: sleep(time.Millisecond / 10)},
		{who: "by hand", yardstick: true, work: sleep(time.Millisecond / 10)},
		{who: "faster", work: sleep(time.Millisecond / 10)},
	}}
	var rows []measured
	synctest.Test(t, func(*testing.T) { // where time is exact
		rows = table.measure(ratio.Options{Samples: 3, Sample: time.Second})
	})
	require.Equal(t, []string{"faster"}, behind(rows))
	for i, m := range rows {
		require.InDelta(t, []float64{1e6, 2e7, 1e5, 1e5, 1e5}[i], m.ns, 0)
		require.InEpsilon(t, []float64{1, 20, 0.1, 0.1, 0.1}[i], m.times, 1e-9)
		require.Equal(t, ratio.Allocated{}, m.allocs)
		rows[i].allocs = ratio.Allocated{Count: 2, Bytes: 64}
	}
	var out strings.Builder
	table.markdown(&out, rows)
	require.Contains(t, out.String(), "| slower v1 | 20 ms | 20 | 2 | 64 |  |\n| half | 100 µs | 0.10 | 2 | 64 | the other half |\n")
	require.Equal(t, []string{"| a job | 1 ms, 2 allocations | slower 20, half 0.10 (the other half) |\n"}, table.line(rows))
}

func TestDuration(t *testing.T) {
	for ns, want := range map[float64]string{4.567: "4.57 ns", 123.4: "123 ns", 1234: "1.23 µs", 56_789_000: "56.8 ms", 1.02e9: "1.02 s"} {
		require.Equal(t, want, duration(ns))
	}
}

func TestRewrite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "README.md")
	write := func(text string) { require.NoError(t, os.WriteFile(file, []byte(text), 0o600)) }
	read := func() string {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		return string(text)
	}
	write("before\n" + begin + "old\n" + end + "after\n")
	require.NoError(t, rewrite(file, "new\n"))
	require.Equal(t, "before\n"+begin+"new\n"+end+"after\n", read())
	require.NoError(t, rewrite(file, "newer\n"))
	require.Equal(t, "before\n"+begin+"newer\n"+end+"after\n", read())

	for _, broken := range []string{"", begin, end, end + begin} {
		write(broken)
		require.ErrorContains(t, rewrite(file, "new\n"), "has not both of the lines")
		require.Equal(t, broken, read())
	}
}

// The README has the place for the table.
func TestReadmeHasThePlace(t *testing.T) {
	text, err := os.ReadFile("../../../README.md")
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(text), begin)
	require.True(t, ok)
	require.Contains(t, rest, end)
}

func TestConditions(t *testing.T) {
	require.Regexp(t, `^.+, \d+ cores, \w+/\w+, Go 1\.\d+`, machine())
	require.Regexp(t, `^\d{4}-\d\d-\d\d$`, today())
}
