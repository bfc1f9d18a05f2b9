// Command bench measures what the README promises about speed, each figure as
// a ratio to a reference measured in the same run, and fails when one is
// missed:
//
//	go run -C internal/bench .
//	go run -C internal/bench . -only ipfilter
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/latchwork/latchwork/internal/bench/loopback"
	"github.com/latchwork/latchwork/internal/bench/ratio"
)

func main() {
	only := flag.String("only", "", "measure the cases whose name contains this")
	samples := flag.Int("samples", 25, "samples of each side")
	sample := flag.Duration("sample", 4*time.Millisecond, "how long a sample takes")
	pending := flag.Bool("pending", false, "fail for the promises that are not kept yet, too")
	serve := flag.String("serve", "", "serve this chain to the process that has started this one")
	flag.Parse()
	if *serve != "" {
		if err := loopback.Serve(loopbackChains(), *serve); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}

	o := ratio.Options{Samples: *samples, Sample: *sample}
	cases := slices.DeleteFunc(promises(), func(c ratio.Case) bool { return !strings.Contains(c.Name, *only) })
	kept := ratio.Report(os.Stdout, cases, o)
	figures := slices.DeleteFunc(slices.Concat(issueFigures(o), memoryFigures()), func(f ratio.Figure) bool { return !strings.Contains(f.Name, *only) })
	kept = ratio.ReportFigures(os.Stdout, figures) && kept

	fmt.Println("\nnot kept yet:")
	cases = slices.DeleteFunc(pendingCases(), func(c ratio.Case) bool { return !strings.Contains(c.Name, *only) })
	figures = slices.DeleteFunc(pendingFigures(), func(f ratio.Figure) bool { return !strings.Contains(f.Name, *only) })
	keptPending := ratio.Report(os.Stdout, cases, o)
	keptPending = ratio.ReportFigures(os.Stdout, figures) && keptPending
	if !kept || (*pending && !keptPending) {
		os.Exit(1)
	}
}

func promises() []ratio.Case {
	return slices.Concat(scopeCases(), ipfilterCases(), apikeyCases(), guardCases(), tokenCases(), throttleCases(), verifyCases())
}

// pendingCases and pendingFigures are what the Guard will keep, and what only a
// machine without other work can tell.
func pendingCases() []ratio.Case { return slices.Concat(chainCases(), scalingCases()) }

func pendingFigures() []ratio.Figure { return loopbackFigures() }
