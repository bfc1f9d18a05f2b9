package apikey_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/internal/credential"
)

// How long the flood is. The release's is of ten million, and only there the time
// of a verification is judged: a busy machine has other reasons to be slow.
var garbage = flag.Int("garbage", 100_000, "keys in the flood of TestFlood; from 1,000,000 on latencies are judged")

const (
	floodRounds = 20

	// strangers come per second: keys of nobody, with a good checksum, so that
	// each costs a read of the store.
	strangers = 5000
)

// A flood of garbage, and of well-formed keys that nobody has, takes no memory
// and does not get in the way of the keys in use.
func TestFlood(t *testing.T) {
	store := apikey.NewMemoryStore()
	m, err := apikey.New(store, apikey.Config{Prefix: "paym"})
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close(context.Background())) }()
	keys := make([]string, 1000)
	for i := range keys {
		issued, err := m.Create(t.Context(), spec(func(s *apikey.Spec) { s.Name = fmt.Sprint("key ", i) }))
		require.NoError(t, err)
		keys[i] = issued.Secret.Reveal()
		_, err = m.Verify(t.Context(), keys[i])
		require.NoError(t, err)
	}

	var quiet, flooded []time.Duration
	hits, asked, unknown := 0, 0, 0
	// use presents a hundred valid keys, and more until told to stop, and
	// returns the 99th of 100 latencies.
	use := func(done func() bool) time.Duration {
		var took []time.Duration
		for i := 0; i < 100 || !done(); i++ {
			key := keys[i%len(keys)]
			start := time.Now()
			_, err := m.VerifyCached(key)
			took = append(took, time.Since(start))
			if asked++; err == nil {
				hits++
				continue
			}
			_, err = m.Verify(context.Background(), key)
			require.NoError(t, err)
		}
		slices.Sort(took)
		return took[len(took)*99/100]
	}
	flood := func() time.Duration {
		var over atomic.Bool
		var all sync.WaitGroup
		all.Go(func() {
			defer over.Store(true)
			format, _ := credential.New("paym")
			typo := []byte(format.Generate())
			begun, sent := time.Now(), 0
			for i := range *garbage / floodRounds {
				typo[5+i%43] = credential.Alphabet[i%62]
				if _, err := m.Verify(context.Background(), string(typo)); err == nil {
					panic("garbage was let through")
				}
				for ; float64(sent) < time.Since(begun).Seconds()*strangers; sent++ {
					if _, err := m.Verify(context.Background(), format.Generate()); err == nil {
						panic("a stranger was let through")
					}
				}
			}
			unknown += sent
		})
		p99 := use(over.Load)
		all.Wait()
		return p99
	}

	flood() // what is made once, is there
	before := heap()
	for range floodRounds {
		start := time.Now()
		quiet = append(quiet, use(func() bool { return time.Since(start) > 20*time.Millisecond }))
		flooded = append(flooded, flood())
	}
	grown := int64(heap()) - int64(before)
	slices.Sort(quiet)
	slices.Sort(flooded)
	ratio := float64(flooded[floodRounds/2]) / float64(quiet[floodRounds/2])
	t.Logf("%d of garbage, %d strangers: hit rate %.5f, heap grown by %d bytes, p99 %v, in the flood %v (%.2f)",
		*garbage, unknown, float64(hits)/float64(asked), grown, quiet[floodRounds/2], flooded[floodRounds/2], ratio)
	require.Greater(t, float64(hits)/float64(asked), 0.99)
	require.Less(t, grown, int64(1<<20))
	require.Equal(t, len(keys), m.Stats().Cached)
	require.Zero(t, m.Stats().Evictions)
	if *garbage >= 1_000_000 {
		require.LessOrEqual(t, ratio, 2.0)
	}
	runtime.KeepAlive(store)
}

// So many strangers come that a store which takes its time is always busy with
// as many as MaxLoads leaves to them. What is kept for refreshes is enough for
// the keys in use, and nobody waits for long.
func TestFloodOfStrangersAtASlowStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const keys, seconds, perTick, tick = 1000, 10, 10, time.Millisecond
		store := &drawling{Store: apikey.NewMemoryStore()}
		m, err := apikey.New(store, apikey.Config{Prefix: "paym"})
		require.NoError(t, err)
		defer func() { require.NoError(t, m.Close(t.Context())) }()
		secrets := make([]string, keys)
		for i := range secrets {
			issued, err := m.Create(t.Context(), spec(func(s *apikey.Spec) { s.Name = fmt.Sprint("key ", i) }))
			require.NoError(t, err)
			secrets[i] = issued.Secret.Reveal()
			_, err = m.Verify(t.Context(), secrets[i])
			require.NoError(t, err)
		}
		store.takes = 20 * time.Millisecond

		format, err := credential.New("paym")
		require.NoError(t, err)
		var waiting sync.WaitGroup
		var denied, busy atomic.Int64
		hits, asked := 0, 0
		flood := func(ticks int) {
			for i := range ticks {
				for range perTick {
					stranger := format.Generate()
					waiting.Go(func() {
						switch _, err := m.Verify(context.Background(), stranger); {
						case errors.Is(err, apikey.ErrBusy):
							busy.Add(1)
						case errors.Is(err, apikey.ErrInvalid):
							denied.Add(1)
						}
					})
				}
				for j := range 10 { // each key ten times a second
					asked++
					key := secrets[(10*i+j)%keys]
					if _, err := m.VerifyCached(key); err == nil {
						hits++
						continue
					}
					waiting.Go(func() { _, _ = m.Verify(context.Background(), key) })
				}
				time.Sleep(tick)
			}
			waiting.Wait()
		}
		flood(1000) // what is made once, is there
		before := heap()
		hits, asked = 0, 0
		flood(seconds * 1000)
		grown := int64(heap()) - int64(before)
		t.Logf("%d strangers refused by the store, %d as it was busy, %d reads at once at most: hit rate %.5f, heap grown by %d bytes",
			denied.Load(), busy.Load(), store.most.Load(), float64(hits)/float64(asked), grown)
		require.EqualValues(t, (seconds+1)*1000*perTick, denied.Load()+busy.Load())
		require.Greater(t, busy.Load(), denied.Load(), "it was no flood")
		require.LessOrEqual(t, store.most.Load(), int64(64), "MaxLoads")
		require.GreaterOrEqual(t, store.most.Load(), int64(57), "refreshes have seats of their own")
		require.GreaterOrEqual(t, float64(hits)/float64(asked), 0.99)
		require.Less(t, grown, int64(3<<20), "more than 30 bytes of each stranger")
		require.Equal(t, keys, m.Stats().Cached)
	})
}

// A drawling store takes its time to find something, and counts how often it is
// asked at once.
type drawling struct {
	apikey.Store

	takes     time.Duration
	now, most atomic.Int64
}

func (s *drawling) Find(ctx context.Context, hashes []apikey.Hash) (apikey.Record, error) {
	now := s.now.Add(1)
	defer s.now.Add(-1)
	for most := s.most.Load(); now > most && !s.most.CompareAndSwap(most, now); most = s.most.Load() {
	}
	time.Sleep(s.takes)
	return s.Store.Find(ctx, hashes)
}

// heap returns how many bytes are in use.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
