package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/latchwork/latchwork/internal/bench/fixture"
	"github.com/latchwork/latchwork/internal/bench/loopback"
	"github.com/latchwork/latchwork/internal/bench/ratio"
)

// loopbackChains are the chains in front of a handler that says hello, and the
// handler alone with the same requests.
func loopbackChains() []loopback.Chain {
	hello := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello\n") })
	all := []loopback.Chain{{Name: "the handler alone", New: func() (http.Handler, []string) {
		return hello, loopback.Gets(fixture.Bearer(fixture.Secrets(clientsOfEach)))
	}}}
	for _, c := range chains() {
		all = append(all, loopback.Chain{Name: c.name, New: func() (http.Handler, []string) {
			handler, tokens := c.build(hello)
			return handler, loopback.Gets(fixture.Bearer(tokens))
		}})
	}
	return all
}

// loopbackMarkdown is table.markdown for what was measured over HTTP.
func loopbackMarkdown(w io.Writer, results []loopback.Result) {
	fmt.Fprintf(w, "\n### The same chains over HTTP: CPU time of the server for a request, %d turns each\n\n", len(results[0].CPU))
	fmt.Fprintln(w, "| | CPU time | times the handler alone | times ours | more than ours in | requests per second |")
	fmt.Fprintln(w, "|---|---:|---:|---:|---:|---:|")
	for _, r := range results {
		fmt.Fprintf(w, "| %s | %s | %.3f | %.3f | %d | %.0f |\n", r.Name, duration(ratio.Median(r.CPU)),
			ratio.Ratio(r.CPU, results[0].CPU), ratio.Ratio(r.CPU, results[1].CPU), ratio.Wins(results[1].CPU, r.CPU), ratio.Median(r.Rate))
	}
}

// loopbackLine is table.line for what was measured over HTTP.
func loopbackLine(results []loopback.Result) string {
	var others []string
	for i, c := range chains() {
		if c.brief != "" {
			others = append(others, fmt.Sprintf("%s %.2f", c.brief, ratio.Ratio(results[i+1].CPU, results[0].CPU)))
		}
	}
	return fmt.Sprintf("| CPU time of a server for a request over HTTP, times that without authentication | %.2f | %s |\n",
		ratio.Ratio(results[1].CPU, results[0].CPU), strings.Join(others, ", "))
}

// behindLoopback names the chains that cost a server less than ours does. What a
// request costs it is nearly all net/http's and the kernel's, and differs from turn
// to turn by more than chains do: in how many turns one was cheaper is what decides.
func behindLoopback(results []loopback.Result) (cheaper []string) {
	for i, c := range chains() {
		if r := results[i+1]; !c.yardstick && ratio.Faster(r.CPU, results[1].CPU) {
			cheaper = append(cheaper, c.name+" over HTTP")
		}
	}
	return cheaper
}
