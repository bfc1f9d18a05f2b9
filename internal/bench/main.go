// Command bench measures what the README promises about speed, each figure as
// a ratio to a reference measured in the same run, and fails when one is
// missed:
//
//	go run -C internal/bench .
//	go run -C internal/bench . -only ipfilter
package main

import (
	"flag"
	"os"
	"slices"
	"strings"

	"github.com/latchwork/latchwork/internal/bench/ratio"
)

func main() {
	only := flag.String("only", "", "measure the cases whose name contains this")
	samples := flag.Int("samples", 25, "samples of each side")
	flag.Parse()

	cases := slices.Concat(scopeCases(), ipfilterCases(), apikeyCases(), guardCases())
	cases = slices.DeleteFunc(cases, func(c ratio.Case) bool { return !strings.Contains(c.Name, *only) })
	if !ratio.Report(os.Stdout, cases, ratio.Options{Samples: *samples}) {
		os.Exit(1)
	}
}
