package ratio

import (
	"math"
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
	if o.Clock == nil {
		o.Clock = passed()
	}
	counts := make([]int, len(works))
	samples := make([][]float64, len(works))
	for i, work := range works {
		counts[i] = calibrate(work, o)
	}
	for round := range o.Samples {
		for i := range works {
			i = (i + round) % len(works)
			samples[i] = append(samples[i], sample(works[i], counts[i], o))
		}
	}
	return samples
}

// passed returns the clock of the time that has passed.
func passed() func() time.Duration {
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}

func calibrate(f func(int), o Options) int {
	for n := 1; ; n *= 2 {
		took := timed(f, n, o)
		if took < o.Sample/2 {
			continue
		}
		// Once more: if the machine was only busy with something else, n is
		// not many enough yet.
		if took = min(took, timed(f, n, o)); took >= o.Sample/2 {
			return max(1, int(float64(n)*float64(o.Sample)/float64(took)))
		}
	}
}

func timed(f func(int), n int, o Options) time.Duration {
	start := o.Clock()
	f(n)
	return o.Clock() - start
}

func sample(f func(int), n int, o Options) float64 {
	start := o.Clock()
	f(n)
	return float64((o.Clock() - start).Nanoseconds()) / float64(n)
}

// Ratio returns the median of the ratios of neighbouring samples.
func Ratio(subject, reference []float64) float64 {
	ratios := make([]float64, len(subject))
	for i := range ratios {
		ratios[i] = subject[i] / reference[i]
	}
	return Median(ratios)
}

// Wins counts the neighbouring samples in which subject took less.
func Wins(subject, reference []float64) (wins int) {
	for i := range subject {
		if subject[i] < reference[i] {
			wins++
		}
	}
	return wins
}

// Faster reports whether subject took less so often that this is no chance: if
// neither were the faster one, it would happen once in a hundred times, at most. It
// takes seven samples, at least, to know.
func Faster(subject, reference []float64) bool {
	n := len(subject)
	chance, outcomes := 0.0, 1.0 // of k wins: outcomes of 2^n
	for k := n; k >= Wins(subject, reference); k-- {
		chance += outcomes / math.Pow(2, float64(n))
		outcomes *= float64(k) / float64(n-k+1)
	}
	return chance <= 0.01
}

// Median returns the middle of v, which has at least one element.
func Median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// Mean returns the average of v, for what does not take the same time each time:
// a garbage collection now and then belongs to those who make the garbage.
func Mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

// Allocated is what one operation allocates.
type Allocated struct{ Count, Bytes float64 }

// Allocs counts like testing.AllocsPerRun, whole allocations only.
func Allocs(f func(n int)) Allocated {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	n := min(1000, calibrate(f, Options{Sample: 100 * time.Millisecond, Clock: passed()})) // what is slow is not needed often
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f(n)
	runtime.ReadMemStats(&after)
	return Allocated{
		Count: float64((after.Mallocs - before.Mallocs) / uint64(n)),
		Bytes: float64((after.TotalAlloc - before.TotalAlloc) / uint64(n)),
	}
}
