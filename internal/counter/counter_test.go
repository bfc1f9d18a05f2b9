package counter

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNothingIsLost(t *testing.T) {
	t.Parallel()
	var s Set
	var done sync.WaitGroup
	for range 50 {
		done.Go(func() {
			for range 1000 {
				s.Add(0)
				s.Add(Kinds - 1)
				s.Add(Kinds - 1)
			}
		})
	}
	done.Wait()
	require.Equal(t, uint64(50_000), s.Sum(0))
	require.Equal(t, uint64(100_000), s.Sum(Kinds-1))
	require.Zero(t, s.Sum(1))
}

func TestAddDoesNotAllocate(t *testing.T) {
	var s Set
	require.Zero(t, testing.AllocsPerRun(100, func() { s.Add(0) }))
}

// Goroutines spread over the Stripes, and each stays on its own.
func TestStripes(t *testing.T) {
	t.Parallel()
	const goroutines = 200
	used, moved := map[uint64]int{}, 0
	var mu sync.Mutex
	var begin, done sync.WaitGroup
	begin.Add(goroutines)
	for range goroutines {
		done.Go(func() {
			begin.Done()
			begin.Wait() // all of them have a stack at once
			first, second := Stripe(), Stripe()
			mu.Lock()
			defer mu.Unlock()
			used[first]++
			if first != second {
				moved++
			}
		})
	}
	done.Wait()
	require.Zero(t, moved)
	require.Greater(t, len(used), Stripes/2)
	for stripe := range used {
		require.Less(t, stripe, uint64(Stripes))
	}
}

func BenchmarkAdd(b *testing.B) {
	var s Set
	for b.Loop() {
		s.Add(1)
	}
}

func BenchmarkAddParallel(b *testing.B) {
	var s Set
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			s.Add(1)
		}
	})
}
