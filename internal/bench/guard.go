package main

import (
	"net/http"

	"github.com/latchwork/latchwork/internal/bench/fixture"
	"github.com/latchwork/latchwork/internal/bench/ratio"
)

// chainCases hold what a request costs beside its handler: key, address and
// permission are judged, and the Principal is in the context, against the
// floor's chain of the same.
func chainCases() []ratio.Case {
	return []ratio.Case{{
		Name: "guard/key, address, permission, principal", Limit: 1.3, MaxAllocs: 2,
		Prepare: func() (subject, reference func(n int)) {
			secrets := fixture.Secrets(1000)
			requests := fixture.Requests(fixture.Bearer(secrets))
			keep := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { requestSink = r })
			return fixture.Serving(fixture.Guarded(secrets, keep), requests),
				fixture.Serving(fixture.Floored(secrets, keep), requests)
		},
	}}
}
