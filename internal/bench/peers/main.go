// Command peers measures Latchwork side by side with the libraries that people
// use for the same jobs, in turns in one run, and writes Markdown:
//
//	go run -C internal/bench/peers .
//	go run -C internal/bench/peers . -only address
//	go run -C internal/bench/peers . -write ../../../README.md
//
// With -check it fails when one that does the whole of a job is faster.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/latchwork/latchwork/internal/bench/loopback"
	"github.com/latchwork/latchwork/internal/bench/ratio"
)

func main() {
	only := flag.String("only", "", "measure only the jobs whose name contains this")
	samples := flag.Int("samples", 25, "samples of each row")
	sample := flag.Duration("sample", 4*time.Millisecond, "how long a sample takes")
	starts := flag.Int("starts", 12, "how often the server over loopback is started, for 30 turns each")
	check := flag.Bool("check", false, "fail when a peer is faster")
	write := flag.String("write", "", "put the short table between the markers of this file")
	serve := flag.Bool("serve", false, "serve the chains that are named to the process that has started this one")
	flag.Parse()
	err := func() error {
		if *serve {
			return loopback.Serve(loopbackChains(), flag.Args())
		}
		if *only != "" && *write != "" {
			return errors.New("the short table has all jobs: -only and -write do not go together")
		}
		report, err := measure(os.Stdout, *only, ratio.Options{Samples: *samples, Sample: *sample}, *starts)
		if err == nil && *write != "" {
			err = rewrite(*write, report.short())
		}
		if err == nil && *check && len(report.faster) > 0 {
			err = fmt.Errorf("faster than we are: %s", strings.Join(report.faster, "; "))
		}
		return err
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// jobs are what is compared in one process. Each is prepared when its turn
// comes.
var jobs = []struct {
	name  string
	table func() table
}{
	{"verify", verifyTable},
	{"chain", chainTable},
	{"middleware", middlewareTable},
	{"permission", permissionTable},
	{"address", func() table { return addressTable("IPv4", 8) }},
	{"address", func() table { return addressTable("IPv4", 1000) }},
	{"address", func() table { return addressTable("IPv4", 100_000) }},
	{"address", func() table { return addressTable("IPv6", 8) }},
	{"address", func() table { return addressTable("IPv6", 1000) }},
	{"address", func() table { return addressTable("IPv6", 100_000) }},
	{"issue", issueTable},
}

// A report is what came of it.
type report struct {
	conditions string
	lines      []string // of the short table
	faster     []string // peers that do a whole job faster
}

// measure writes tables as they are done.
func measure(w io.Writer, only string, o ratio.Options, starts int) (report, error) {
	r := report{conditions: fmt.Sprintf("Measured on %s: %s.", today(), machine())}
	fmt.Fprintf(w, "%s Medians of %d samples of %v, in turns.\n", r.conditions, o.Samples, o.Sample)
	for _, job := range jobs {
		if !strings.Contains(job.name, only) {
			continue
		}
		t := job.table()
		rows := t.measure(o)
		for again := 0; len(behind(rows)) > 0 && again < 2; again++ {
			rows = t.measure(o) // a machine that others use has bad moments
		}
		t.markdown(w, rows)
		r.faster = append(r.faster, behind(rows)...)
		r.lines = append(r.lines, t.line(rows)...)
	}
	if strings.Contains("loopback", only) {
		results, err := loopback.Measure(loopbackChains(), loopback.Options{Starts: starts, Turns: 30, Requests: 3200, Connections: 32})
		if err != nil {
			return r, err
		}
		loopbackMarkdown(w, results)
		r.faster = append(r.faster, behindLoopback(results)...)
		r.lines = append(r.lines, loopbackLine(results))
	}
	return r, nil
}

// short is the table for the README.
func (r report) short() string {
	return "| | Latchwork | others, times as long |\n|---|---:|---|\n" + strings.Join(r.lines, "") +
		"\n" + r.conditions + "\n"
}
