package main

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/internal/bench/fixture"
	"github.com/latchwork/latchwork/internal/bench/floor"
	"github.com/latchwork/latchwork/internal/bench/ratio"
	"github.com/latchwork/latchwork/scope"
)

const (
	// revocations is how often somebody revokes a key meanwhile.
	revocations = 10 * time.Millisecond

	// scalingSample has several of them.
	scalingSample = 100 * time.Millisecond
)

// scalingCases hold what a second core is worth: the time of a verification on
// two cores against one, so that 1.8 times the throughput is a ratio of
// 1/1.8. Meanwhile keys are created, used and revoked, a hundred a second. The
// floor, which shares nothing that changes, says what the machine can give.
func scalingCases() []ratio.Case {
	cases := []ratio.Case{
		{Name: "two cores/floor, 1,000 keys", MaxAllocs: -1, Sample: scalingSample, Prepare: func() (subject, reference func(n int)) {
			secrets := fixture.Secrets(1000)
			keys := floor.NewKeys(floor.Key{}, fixture.Shuffled(secrets)...)
			return onCores(secrets, func(secret string) { keys.Verify(secret) }, nil)
		}},
		scalingCase("two cores/verify, 1,000 keys", 1000, 1/1.8),
		scalingCase("two cores/verify, one hot key", 1, 1/1.4),
	}
	if runtime.NumCPU() < 2 {
		return nil
	}
	return cases
}

func scalingCase(name string, n int, limit float64) ratio.Case {
	return ratio.Case{
		Name: name, Limit: limit, MaxAllocs: -1, Sample: scalingSample,
		Prepare: func() (subject, reference func(n int)) {
			store := apikey.NewMemoryStore()
			manager := fixture.Must(apikey.New(store, apikey.Config{Prefix: fixture.Prefix, Activity: store}))
			secrets := make([]string, n)
			for i := range secrets {
				secrets[i] = created(manager).Secret.Reveal()
			}
			use := func(secret string) {
				v := fixture.Must(manager.Verify(context.Background(), secret))
				manager.RecordUse(v, fixture.Addr, apikey.Allowed)
			}
			revoke := func() {
				issued := created(manager)
				use(issued.Secret.Reveal())
				if err := manager.Revoke(context.Background(), issued.Key.ID, apikey.RevokeOptions{}); err != nil {
					panic(err)
				}
			}
			return onCores(secrets, use, revoke)
		},
	}
}

func created(manager *apikey.Manager) apikey.Issued {
	return fixture.Must(manager.Create(context.Background(), apikey.Spec{
		Name: "Integration", Type: "admin", Permissions: scope.MustParseSet(fixture.Permissions...),
	}))
}

// onCores returns work that calls use for n of the secrets: on two cores, and
// on one. Meanwhile it calls now and then what else goes on, if anything.
func onCores(secrets []string, use func(secret string), meanwhile func()) (two, one func(n int)) {
	on := func(cores int) func(n int) {
		return func(n int) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
			var workers, others sync.WaitGroup
			done := make(chan struct{})
			if meanwhile != nil {
				others.Go(func() { repeat(meanwhile, done) })
			}
			for worker := range cores {
				workers.Go(func() {
					for i := range n / cores {
						use(secrets[(i+worker*len(secrets)/cores)%len(secrets)])
					}
				})
			}
			workers.Wait()
			close(done)
			others.Wait()
		}
	}
	return on(2), on(1)
}

// repeat calls f every now and then until done.
func repeat(f func(), done chan struct{}) {
	ticker := time.NewTicker(revocations)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			f()
		case <-done:
			return
		}
	}
}
