package ratio

import (
	"runtime"
	"slices"
	"time"
)

// Turns takes samples of several works, in turns, so that what disturbs the
// machine disturbs all of them. Each round begins with the next one. It returns
// the nanoseconds that one operation took, by work and round.
func Turns(o Options, works ...func(n int)) [][]float64 {
	if o.Samples == 0 {
		o.Samples = 25
	}
	if o.Sample == 0 {
		o.Sample = 4 * time.Millisecond
	}
	counts := make([]int, len(works))
	samples := make([][]float64, len(works))
	for i, work := range works {
		counts[i] = calibrate(work, o.Sample)
	}
	for round := range o.Samples {
		for i := range works {
			i = (i + round) % len(works)
			samples[i] = append(samples[i], sample(works[i], counts[i]))
		}
	}
	return samples
}

func calibrate(f func(int), want time.Duration) int {
	for n := 1; ; n *= 2 {
		start := time.Now()
		f(n)
		if took := time.Since(start); took >= want/2 {
			return max(1, int(float64(n)*float64(want)/float64(took)))
		}
	}
}

func sample(f func(int), n int) float64 {
	start := time.Now()
	f(n)
	return float64(time.Since(start).Nanoseconds()) / float64(n)
}

// Ratio returns the median of the ratios of neighbouring samples.
func Ratio(subject, reference []float64) float64 {
	ratios := make([]float64, len(subject))
	for i := range ratios {
		ratios[i] = subject[i] / reference[i]
	}
	return Median(ratios)
}

// Median returns the middle of v, which has at least one element.
func Median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// Allocated is what one operation allocates.
type Allocated struct{ Count, Bytes float64 }

// Allocs counts like testing.AllocsPerRun, whole allocations only.
func Allocs(f func(n int)) Allocated {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	n := min(1000, calibrate(f, 100*time.Millisecond)) // what is slow is not needed often
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f(n)
	runtime.ReadMemStats(&after)
	return Allocated{
		Count: float64((after.Mallocs - before.Mallocs) / uint64(n)),
		Bytes: float64((after.TotalAlloc - before.TotalAlloc) / uint64(n)),
	}
}
