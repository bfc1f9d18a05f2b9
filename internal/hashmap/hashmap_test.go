package hashmap_test

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/internal/hashmap"
)

// key returns a key that shares with others where it is looked for, some of them
// in the last slots of a table.
func key(i int) (k [32]byte) {
	binary.LittleEndian.PutUint64(k[:], uint64(i%97)*0x9E3779B97F4A7C15|uint64(i&1)*0xFFFF)
	binary.LittleEndian.PutUint32(k[8:], uint32(i))
	return k
}

func TestAgreesWithAMap(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	var m hashmap.Map[int]
	model := map[[32]byte]*int{}
	require.Nil(t, m.Load(key(0)))
	m.Delete(key(0))
	for range 20000 {
		k, v := key(random.IntN(400)), new(int)
		switch random.IntN(3) {
		case 0:
			m.Store(k, v)
			model[k] = v
		case 1:
			m.Delete(k)
			delete(model, k)
		}
		require.Same(t, model[k], m.Load(k))
		require.Equal(t, len(model), m.Len())
	}
	for i := range 400 {
		require.Same(t, model[key(i)], m.Load(key(i)))
	}
	stored := map[*int]bool{}
	for v := range m.All() {
		stored[v] = true
	}
	require.Len(t, stored, len(model))
	for k, v := range model {
		require.True(t, stored[v])
		for range m.All() { // until the first one
			m.Delete(k)
			break
		}
	}
	for range m.All() {
		t.Error("something is left")
	}
	for range new(hashmap.Map[int]).All() {
		t.Error("there was nothing")
	}
}

// What is in the map all the time is found all the time, whatever happens to
// its neighbours.
func TestReadersSeeEveryStandingEntry(t *testing.T) {
	t.Parallel()
	var m hashmap.Map[int]
	standing := make([]*int, 64)
	for i := range standing {
		standing[i] = new(int)
		m.Store(key(i), standing[i])
	}
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					if m.Load(key(i%len(standing))) != standing[i%len(standing)] {
						t.Error("a standing entry was not found")
						return
					}
				}
			}
		})
	}
	for i := range 20000 {
		m.Store(key(1000+i%300), new(int))
		if i%2 == 0 {
			m.Delete(key(1000 + (i*7)%300))
		}
	}
	close(stop)
	readers.Wait()
}

func TestLoadDoesNotAllocate(t *testing.T) {
	var m hashmap.Map[int]
	k := sha256.Sum256([]byte("k"))
	m.Store(k, new(int))
	require.Zero(t, testing.AllocsPerRun(100, func() { _ = m.Load(k) }))
}
