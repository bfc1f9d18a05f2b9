package cache

import (
	"flag"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func testTable(size int) *table[int] { return newTable[int](size, maphash.MakeSeed()) }

func (t *table[V]) key(secret string) Key {
	return (&Cache[V]{seed: t.seed}).Key(secret)
}

func (t *table[V]) get(secret string) *Entry[V] {
	return t.find(maphash.String(t.seed, secret), secret)
}

// add puts an entry under a secret, with an id that another one may have, too.
func (t *table[V]) add(secret, id string, version int64, v V) int {
	key := t.key(secret)
	return t.put(key, &Entry[V]{sum: key.sum, ID: id, Version: version, Value: v}, 0)
}

// check holds the parts of a table against each other.
func (t *table[V]) check(tb testing.TB) {
	tb.Helper()
	spills, count := make([]int, len(t.lines)), 0
	queued := map[int]int{}
	for _, r := range []*ring{&t.queues.newcomers, &t.queues.regulars} {
		for i := range r.len {
			queued[int(r.slots[(r.first+i)%len(r.slots)])]++
		}
	}
	linked := map[int]string{}
	for i := range t.heads {
		for next := t.heads[i]; next != 0; next = t.nexts[next-1] {
			slot := int(next - 1)
			id := t.at(slot).Load().ID
			if linked[slot] != "" || id == "" || t.head(id) != &t.heads[i] {
				tb.Fatalf("slot %d is linked wrongly", slot)
			}
			linked[slot] = id
		}
	}
	for slot := range len(t.lines) * ways {
		e, tag := t.at(slot).Load(), t.lines[slot/ways].tags.Load()>>(8*(slot%ways))&0xff
		if (e != nil) != (tag != 0) || (e != nil) != (queued[slot] == 1) || (e != nil && e.ID != "") != (linked[slot] != "") {
			tb.Fatalf("slot %d: entry %v, tag %d, queued %d times, linked under %q", slot, e, tag, queued[slot], linked[slot])
		}
		if e != nil {
			count++
			if e.spilled > 0 {
				spills[slot/ways-int(e.spilled)]++
			}
		}
	}
	require.Len(tb, queued, count)
	require.Equal(tb, count, t.count)
	require.LessOrEqual(tb, count, t.size)
	for i := range t.lines {
		if n := t.lines[i].tags.Load() >> (8 * ways); n != uint64(spills[i]) {
			tb.Fatalf("line %d has %d entries elsewhere, not %d", i, spills[i], n)
		}
	}
}

// A table does what a map does, but for forgetting, and forgets only when it is
// full or, rarely, nearly so.
func TestTableAgainstMap(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 2, 3, 7, 8, 40, 300} {
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(uint64(size), 1))
			tab := testTable(size)
			type known struct {
				id      string
				version int64
				value   int
			}
			model := map[string]known{}
			evicted, missing := 0, 0
			for i := range 10_000 {
				secret := "secret " + strconv.Itoa(rng.IntN(2*size+1))
				switch op := rng.IntN(10); op {
				case 0, 1, 2, 3:
					k := known{"id " + strconv.Itoa(rng.IntN(size+1)), rng.Int64N(5), i}
					evicted += tab.add(secret, k.id, k.version, k.value)
					model[secret] = k
				case 4:
					id, version := "id "+strconv.Itoa(rng.IntN(size+1)), rng.Int64N(6)
					tab.invalidate(id, version)
					for s, k := range model {
						if k.id == id && k.version < version {
							delete(model, s)
						}
					}
				case 5:
					tab.hollow(tab.key(secret))
					delete(model, secret)
				default:
					e, peeked := tab.get(secret), tab.peek(tab.key(secret))
					require.Same(t, e, peeked)
					k, ok := model[secret]
					switch {
					case e == nil || e.loaded == gone:
						if ok {
							missing++
						}
						delete(model, secret)
					default:
						require.True(t, ok, "found what is not there")
						found := known{e.ID, e.Version, e.Value}
						require.Equal(t, k, found)
					}
				}
				if i%1000 == 0 {
					tab.check(t)
				}
			}
			tab.check(t)
			require.Positive(t, evicted)
			require.LessOrEqual(t, missing, evicted)
		})
	}
}

// As many as it is made for fit in, but for one in a million.
func TestTableHoldsItsSize(t *testing.T) {
	t.Parallel()
	const size = 10_000
	tab := testTable(size)
	evicted := 0
	for i := range size {
		evicted += tab.add(fmt.Sprint("secret ", i), fmt.Sprint("id ", i), 1, i)
	}
	require.LessOrEqual(t, evicted, 2)
	found := 0
	for i := range size {
		if e := tab.get(fmt.Sprint("secret ", i)); e != nil {
			require.Equal(t, i, e.Value)
			found++
		}
	}
	require.Equal(t, size-evicted, found)
	require.Equal(t, found, tab.count)
	tab.check(t)
	for i := range size {
		tab.add(fmt.Sprint("other ", i), "", 1, i)
	}
	require.Equal(t, size, tab.count)
	tab.check(t)
}

// Where more belong than there is room for within reach, the least used goes.
func TestCrowd(t *testing.T) {
	t.Parallel()
	tab := testTable(1000)
	const room = (reach + 1) * ways
	key := func(i int) Key { return Key{hash: 1<<63 | uint64(i%3), sum: [32]byte{byte(i)}} }
	for i := range 2 * room {
		e := &Entry[int]{sum: key(i).sum, ID: strconv.Itoa(i), Value: i}
		e.uses.Store(uint32(i % 2 * maxUses))
		evicted := tab.put(key(i), e, 0)
		require.Equal(t, i >= room, evicted == 1)
		require.Same(t, e, tab.peek(key(i)))
		require.Equal(t, min(i+1, room), tab.count)
	}
	tab.check(t)
	kept := 0
	for i := 1; i < room; i += 2 {
		if tab.peek(key(i)) != nil {
			kept++
		}
	}
	require.Greater(t, kept, room/2-ways)
}

// Readers without a lock find what they ask for or nothing, whatever goes on.
func TestTableReadersNeedNoLock(t *testing.T) {
	t.Parallel()
	const secrets = 100
	tab := testTable(secrets / 2)
	names := make([]string, secrets)
	for i := range names {
		names[i] = "secret " + strconv.Itoa(i)
	}
	var readers sync.WaitGroup
	done := make(chan struct{})
	for r := range 4 {
		readers.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(r), 2))
			for {
				select {
				case <-done:
					return
				default:
				}
				for range 100 {
					i := rng.IntN(secrets)
					if e := tab.get(names[i]); e != nil && e.loaded != gone && e.Value != i {
						panic("found the entry of another secret")
					}
				}
			}
		})
	}
	rng := rand.New(rand.NewPCG(3, 3))
	for range 20_000 {
		i := rng.IntN(secrets)
		if rng.IntN(4) == 0 {
			tab.invalidate("id "+strconv.Itoa(i/2), 2)
		} else {
			tab.add(names[i], "id "+strconv.Itoa(i/2), 1, i)
		}
	}
	close(done)
	readers.Wait()
	tab.check(t)
}

// What is used moves on; what is not goes, the oldest first.
func TestQueues(t *testing.T) {
	t.Parallel()
	tab := testTable(20)
	for i := range 20 {
		tab.add(strconv.Itoa(i), "", 0, i)
	}
	for _, used := range []string{"3", "4", "5"} {
		tab.get(used)
	}
	for i := range 17 {
		require.Equal(t, 1, tab.add(fmt.Sprint("new ", i), "", 0, 0))
	}
	var left []int
	for i := range 20 {
		if tab.peek(tab.key(strconv.Itoa(i))) != nil {
			left = append(left, i)
		}
	}
	require.Equal(t, []int{3, 4, 5}, left)
	require.Equal(t, 3, tab.queues.regulars.len)

	// One that comes back soon is one of the regulars at once.
	tab.add("19", "", 0, 0)
	require.Equal(t, 4, tab.queues.regulars.len)

	// What is too old to be used goes first, however often it was used.
	tab.add("old", "", 0, 0)
	for range 5 {
		tab.get("old")
	}
	require.Zero(t, worth(tab.peek(tab.key("old")), 1))
	require.Equal(t, uint32(maxUses), worth(tab.peek(tab.key("old")), 0))
}

func TestRing(t *testing.T) {
	t.Parallel()
	var r ring
	var model []int
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 10_000 {
		if len(model) == 0 || rng.IntN(5) < 3 && i < 5000 || rng.IntN(5) < 2 {
			r.push(i)
			model = append(model, i)
		} else {
			require.Equal(t, model[0], r.pop())
			model = model[1:]
		}
		require.Equal(t, len(model), r.len)
	}
}

func TestMatches(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	for range 10_000 {
		tags, tag := rng.Uint64(), tagOf(rng.Uint64())
		way := rng.IntN(ways)
		tags = tags&^(0xff<<(8*way)) | tag<<(8*way)
		m := matches(tags, tag)
		require.NotZero(t, m&(0x80<<(8*way)))
		require.Zero(t, m&^uint64(0x80808080808080))
	}
	require.Zero(t, matches(0, 1))
	require.Zero(t, matches(0xff<<56, 0xff), "the eighth byte is no tag")
}

// How many keys there are that are asked for once. The release's are a million.
var sweep = flag.Int("sweep", 200_000, "keys that are asked for once in TestHitRate and in TestSweep")

// The hit rate on a skewed trace with scans, keys that nobody asks for again, is
// better than that of an LRU of the same size, and hardly worse than without them.
func TestHitRate(t *testing.T) {
	t.Parallel()
	const scans = 10
	size := *sweep / 100
	rates := map[bool]float64{}
	for _, scanned := range []bool{false, true} {
		rng := rand.New(rand.NewPCG(1, 2))
		zipf := rand.NewZipf(rng, 1.01, 10, uint64(10*size-1))
		tab, old := testTable(size), newLRU(size)
		hits, oldHits, asked, once := 0, 0, 0, 0
		ask := func(secret string) (hit, oldHit bool) {
			if hit = tab.get(secret) != nil; !hit {
				tab.add(secret, "", 0, 0)
			}
			return hit, old.ask(secret)
		}
		for range scans {
			for range 10 * size {
				hit, oldHit := ask(strconv.FormatUint(zipf.Uint64(), 10))
				asked++
				if hit {
					hits++
				}
				if oldHit {
					oldHits++
				}
			}
			if scanned {
				for range *sweep / scans { // ten times what there is room for
					once++
					ask("once " + strconv.Itoa(once))
				}
			}
		}
		rate, oldRate := float64(hits)/float64(asked), float64(oldHits)/float64(asked)
		t.Logf("room for %d, a Zipf trace of %d, %d keys once: hit rate %.4f, of an LRU %.4f", size, asked, once, rate, oldRate)
		require.Greater(t, rate, oldRate)
		rates[scanned] = rate
	}
	require.GreaterOrEqual(t, rates[true], 0.99*rates[false])
}

// A sweep over very many keys, a hundred times as many as there is room for,
// pushes out hardly one of those in use.
func TestSweep(t *testing.T) {
	t.Parallel()
	const hot = 1000
	tab := testTable(2 * hot)
	secret := func(i int) string { return "hot " + strconv.Itoa(i) }
	for range 3 {
		for i := range hot {
			if tab.get(secret(i)) == nil {
				tab.add(secret(i), "", 0, i)
			}
		}
	}
	asked, hits := 0, 0
	for i := range *sweep {
		tab.add("once "+strconv.Itoa(i), "", 0, 0)
		if i%4 == 0 { // meanwhile the others are asked for, seldom enough
			asked++
			s := secret(i / 4 % hot)
			if tab.get(s) != nil {
				hits++
			} else {
				tab.add(s, "", 0, 0)
			}
		}
	}
	t.Logf("%d keys once, room for %d: hit rate of the others %.4f", *sweep, 2*hot, float64(hits)/float64(asked))
	require.Greater(t, float64(hits)/float64(asked), 0.99)
}

// An lru is a plain one, as a yardstick.
type lru struct {
	size        int
	items       map[string]*item
	first, last *item
}

type item struct {
	secret      string
	newer, past *item
}

func newLRU(size int) *lru { return &lru{size: size, items: map[string]*item{}} }

func (l *lru) ask(secret string) (hit bool) {
	it, hit := l.items[secret]
	if hit {
		l.unlink(it)
	} else {
		if len(l.items) == l.size {
			delete(l.items, l.last.secret)
			l.unlink(l.last)
		}
		it = &item{secret: secret}
		l.items[secret] = it
	}
	it.newer, it.past = nil, l.first
	if l.first != nil {
		l.first.newer = it
	}
	if l.first = it; l.last == nil {
		l.last = it
	}
	return hit
}

func (l *lru) unlink(it *item) {
	if it.newer != nil {
		it.newer.past = it.past
	} else {
		l.first = it.past
	}
	if it.past != nil {
		it.past.newer = it.newer
	} else {
		l.last = it.newer
	}
}

func TestLRU(t *testing.T) {
	t.Parallel()
	l := newLRU(2)
	var hits []bool
	for _, s := range []string{"a", "b", "a", "c", "a", "b", "c", "a"} {
		hits = append(hits, l.ask(s))
	}
	require.Equal(t, []bool{false, false, true, false, true, false, false, false}, hits)
	require.True(t, slices.Contains(hits, true))
}
