package main

import (
	"io"
	"net/http"

	"github.com/latchwork/latchwork/internal/bench/fixture"
	"github.com/latchwork/latchwork/internal/bench/loopback"
	"github.com/latchwork/latchwork/internal/bench/ratio"
)

// loopbackChains are what loopbackFigures compare.
func loopbackChains() []loopback.Chain {
	return []loopback.Chain{
		// The bare handler gets the same requests: reading a header costs
		// something, too.
		{Name: "bare", New: func() (http.Handler, []string) { return hello, fixture.Bearer(fixture.Secrets(1000)) }},
		{Name: "guard", New: func() (http.Handler, []string) {
			secrets := fixture.Secrets(1000)
			return fixture.Guarded(secrets, hello), fixture.Bearer(secrets)
		}},
	}
}

var hello = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello\n") })

// loopbackFigures hold what a request costs a server over HTTP, beside what it
// would cost without a Guard.
func loopbackFigures() []ratio.Figure {
	return []ratio.Figure{{
		Name: "loopback/CPU time of a guarded request, times that of a bare one", Limit: 1.1,
		Measure: func() float64 {
			results := fixture.Must(loopback.Measure(loopbackChains(), loopback.Options{}))
			return ratio.Ratio(results[1].CPU, results[0].CPU)
		},
	}}
}
