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
	serve := flag.Bool("serve", false, "serve the chains that are named to the process that has started this one")
	flag.Parse()
	if *serve {
		if err := loopback.Serve(loopbackChains(), flag.Args()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}

	o := ratio.Options{Samples: *samples, Sample: *sample}
	cases := slices.DeleteFunc(promises(), func(c ratio.Case) bool { return !strings.Contains(c.Name, *only) })
	kept := ratio.Report(os.Stdout, cases, o)
	figures := slices.DeleteFunc(figures(o), func(f ratio.Figure) bool { return !strings.Contains(f.Name, *only) })
	if kept = ratio.ReportFigures(os.Stdout, figures) && kept; !kept {
		os.Exit(1)
	}
}

func promises() []ratio.Case {
	return slices.Concat(scopeCases(), ipfilterCases(), apikeyCases(), guardCases(), tokenCases(), throttleCases(), verifyCases(),
		chainCases(), scalingCases())
}

func figures(o ratio.Options) []ratio.Figure {
	return slices.Concat(issueFigures(o), memoryFigures(), throttleFigures(o), loopbackFigures(), introspectFigures())
}
