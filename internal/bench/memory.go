package main

import (
	"math"
	"runtime"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/internal/bench/fixture"
	"github.com/latchwork/latchwork/internal/bench/ratio"
)

// memoryFigures hold what a verified key costs while it is remembered.
func memoryFigures() []ratio.Figure {
	return []ratio.Figure{{
		Name: "memory/bytes of a cached key with three permissions", Limit: 700,
		Measure: func() float64 {
			secrets := fixture.Secrets(100_000)
			before := heap()
			manager := fixture.Manager(fixture.Store{}, secrets)
			after := heap()
			n := cached(manager, secrets)
			if n == 0 {
				return math.Inf(1) // nothing is remembered
			}
			return (after - before) / float64(n)
		},
	}}
}

// cached counts the keys that the Manager knows without its store.
func cached(manager *apikey.Manager, secrets []string) (n int) {
	for _, secret := range secrets {
		if _, err := manager.VerifyCached(secret); err == nil {
			n++
		}
	}
	return n
}

// heap returns how many bytes are in use.
func heap() float64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC() // what finalizers and pools have let go
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc)
}
