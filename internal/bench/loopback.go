package main

import (
	"io"
	"net/http"
	"slices"

	"github.com/latchwork/latchwork/internal/bench/fixture"
	"github.com/latchwork/latchwork/internal/bench/loopback"
	"github.com/latchwork/latchwork/internal/bench/ratio"
)

// loopbackChains are what loopbackFigures compare.
func loopbackChains() []loopback.Chain {
	return []loopback.Chain{
		// The bare handler gets the same requests: reading a header costs
		// something, too.
		{Name: "bare", New: func() (http.Handler, []string) { return hello, loopback.Gets(fixture.Bearer(fixture.Secrets(1000))) }},
		{Name: "guard, one key", New: guarded(1)},
		{Name: "guard, 1,000 keys", New: guarded(1000)},
		{Name: "form", New: func() (http.Handler, []string) { return introspection(false) }},
		{Name: "introspection", New: func() (http.Handler, []string) { return introspection(true) }},
	}
}

func guarded(keys int) func() (http.Handler, []string) {
	return func() (http.Handler, []string) {
		secrets := fixture.Secrets(keys)
		return fixture.Guarded(secrets, hello), loopback.Gets(fixture.Bearer(secrets))
	}
}

var hello = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello\n") })

// loopbackFigures hold what a request costs a server over HTTP, beside what it
// would cost without a Guard. With a thousand keys it is the memory that costs
// something: between two requests, all else that a server does has been in the
// caches of the processor.
func loopbackFigures() []ratio.Figure {
	const what = "loopback/CPU time of a guarded request, times that of a bare one"
	return []ratio.Figure{
		{Name: what, Limit: 1.1, Measure: cpuRatio("guard, one key", "bare")},
		{Name: what + ", 1,000 keys", Measure: cpuRatio("guard, 1,000 keys", "bare")},
	}
}

// cpuRatio returns how to measure one of the chains against another, in turns.
func cpuRatio(subject, reference string) func() float64 {
	return func() float64 {
		var chains []loopback.Chain
		for _, name := range []string{reference, subject} {
			i := slices.IndexFunc(loopbackChains(), func(c loopback.Chain) bool { return c.Name == name })
			chains = append(chains, loopbackChains()[i])
		}
		results := fixture.Must(loopback.Measure(chains, loopback.Options{}))
		return ratio.Ratio(results[1].CPU, results[0].CPU)
	}
}
