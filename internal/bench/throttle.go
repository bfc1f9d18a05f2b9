package main

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"time"

	"github.com/latchwork/latchwork/internal/bench/ratio"
	"github.com/latchwork/latchwork/internal/throttle"
)

// throttleCases hold what asking the throttle about an address costs, against
// a map behind a mutex that does the same, and would grow.
func throttleCases() []ratio.Case {
	const entries = 1 << 13
	limit := throttle.Limit{Burst: 20, Every: 3 * time.Second}
	l, h := throttle.NewLimiter(limit, 57344), throttle.NewHasher()
	naive := naiveLimiter{limit: limit, until: map[netip.Addr]time.Time{}}
	var failing, others [entries]netip.Addr
	for i := range failing {
		failing[i], others[i] = testAddr(i), testAddr(-1-i)
		l.Take(h.Addr(failing[i]))
		naive.until[failing[i]] = time.Now().Add(time.Hour)
	}
	wait := func(addrs *[entries]netip.Addr) func(n int) {
		return func(n int) {
			for i := range n {
				waitSink = l.Wait(h.Addr(addrs[i%entries]))
			}
		}
	}
	naiveWait := func(addrs *[entries]netip.Addr) func(n int) {
		return func(n int) {
			for i := range n {
				waitSink = naive.wait(addrs[i%entries])
			}
		}
	}
	return []ratio.Case{
		{Name: "throttle/address that never failed", Limit: 1, Subject: wait(&others), Reference: naiveWait(&others)},
		{Name: "throttle/address that failed", Limit: 0.7, Subject: wait(&failing), Reference: naiveWait(&failing)},
	}
}

// throttleFigures hold the same in time, which depends on the machine: it is next
// to nothing everywhere.
func throttleFigures(o ratio.Options) []ratio.Figure {
	return []ratio.Figure{{Name: "throttle/nanoseconds of a question", Limit: 60, Measure: func() float64 {
		cases := throttleCases()
		took := ratio.Turns(o, cases[0].Subject, cases[1].Subject)
		return max(ratio.Median(took[0]), ratio.Median(took[1]))
	}}}
}

type naiveLimiter struct {
	limit throttle.Limit
	mu    sync.Mutex
	until map[netip.Addr]time.Time
}

func (l *naiveLimiter) wait(addr netip.Addr) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	until, ok := l.until[addr]
	if !ok {
		return 0
	}
	return max(0, time.Until(until)+l.limit.Every-time.Duration(l.limit.Burst)*l.limit.Every)
}

func testAddr(i int) netip.Addr {
	var a [16]byte
	a[0] = 0x20
	binary.BigEndian.PutUint32(a[4:], uint32(i))
	return netip.AddrFrom16(a)
}

var waitSink time.Duration
