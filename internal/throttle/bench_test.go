package throttle_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/latchwork/latchwork/internal/throttle"
)

// What a request pays: nearly all come from where nothing failed.
func BenchmarkLimiter(b *testing.B) {
	h := throttle.NewHasher()
	l := throttle.NewLimiter(throttle.Limit{Burst: 20, Every: 3 * time.Second}, 57344)
	var known, others [1024]netip.Addr
	for i := range known {
		known[i], others[i] = address(i), address(-1-i)
		l.Take(h.Addr(known[i]))
	}
	i := 0
	for _, c := range []struct {
		name string
		do   func()
	}{
		{"wait, nothing failed", func() { l.Wait(h.Addr(others[i%1024])) }},
		{"wait, something failed", func() { l.Wait(h.Addr(known[i%1024])) }},
		{"take, something failed", func() { l.Take(h.Addr(known[i%1024])) }},
		{"take, nothing failed", func() { l.Take(h.Addr(address(i))) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				i++
				c.do()
			}
		})
	}
	b.Run("the clock alone", func(b *testing.B) {
		start := time.Now()
		for b.Loop() {
			_ = time.Since(start)
		}
	})
}
