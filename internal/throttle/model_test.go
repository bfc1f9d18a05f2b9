package throttle

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A model is a Limiter of one bucket that keeps everything that ever happened to
// a key and works out from the beginning what is left of it. It fills a bucket
// that leaks where the Limiter moves an instant.
type model struct {
	limit   Limit
	history map[Key][]happening
}

type happening struct {
	at   int64
	what func(level, every int64) int64
}

func taken(level, every int64) int64    { return level + every }
func returned(level, every int64) int64 { return max(0, level-every) }
func cleared(int64, int64) int64        { return 0 }

// level is how much is in the bucket of a key.
func (m *model) level(k Key, now int64) int64 {
	level, at := int64(0), int64(0)
	for _, h := range m.history[k] {
		level, at = h.what(max(0, level-(h.at-at)), int64(m.limit.Every)), h.at
	}
	return max(0, level-(now-at))
}

func (m *model) wait(k Key, now int64) time.Duration {
	every := int64(m.limit.Every)
	return time.Duration(max(0, m.level(k, now)+every-every*int64(m.limit.Burst)))
}

func (m *model) take(k Key, now int64) {
	if m.wait(k, now) == 0 {
		m.add(k, happening{now, taken})
	}
}

func (m *model) add(k Key, h happening) { m.history[k] = append(m.history[k], h) }

// full returns the keys that are not forgotten, if there are no more places than
// that: those with the least left first.
func (m *model) full(now int64) []Key {
	var live []Key
	for k := range m.history {
		if m.level(k, now) > 0 {
			live = append(live, k)
		}
	}
	if len(live) < ways {
		return nil
	}
	slices.SortFunc(live, func(a, b Key) int { return int(m.level(a, now) - m.level(b, now)) })
	return live
}

// agree does what the bytes say to a Limiter and to the model.
func agree(t *testing.T, burst int, ops []byte) {
	synctest.Test(t, func(t *testing.T) {
		limit := Limit{burst, 10 * time.Second}
		l, m := NewLimiter(limit, ways), &model{limit, map[Key][]happening{}}
		for i, op := range ops {
			k := Key(op & 15)
			time.Sleep(limit.Every / 37 * time.Duration(op>>4&3))
			now := int64(time.Since(l.start))
			want, full := m.wait(k, now), m.full(now)
			if want != l.Wait(k) {
				require.Equal(t, want, l.Wait(k), "step %d: burst %d, key %d", i, burst, k)
			}
			switch {
			case op < 192:
				require.Equal(t, want, l.Take(k), "step %d: burst %d, key %d", i, burst, k)
				if full != nil && m.level(k, now) == 0 {
					delete(m.history, victim(t, l.bucket(0), m, full, now))
				}
				m.take(k, now)
			case m.history[k] == nil: // an empty entry has key 0
			case op < 240:
				l.Return(k)
				m.add(k, happening{now, returned})
			default:
				l.Clear(k)
				m.add(k, happening{now, cleared})
			}
		}
	})
}

// victim is whom the Limiter forgot: of those that had least left, the one that
// is not there any more.
func victim(t *testing.T, b *bucket, m *model, full []Key, now int64) Key {
	gone := slices.DeleteFunc(slices.Clone(full), func(k Key) bool { return b.find(k) != nil })
	require.Len(t, gone, 1, "one makes room for one")
	require.Equal(t, m.level(full[0], now), m.level(gone[0], now), "another had less to forget")
	return gone[0]
}

func TestAgreesWithTheModel(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		ops := make([]byte, 200)
		for i := range ops {
			ops[i] = byte(random.Uint32())
		}
		agree(t, 1+random.IntN(6), ops)
	}
}

func FuzzLimiter(f *testing.F) {
	f.Add(5, []byte("\x00\x00\x00\x00\x00\x00\x30\xc0\x00\xf0\x00"))
	f.Add(1, []byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x00\x01"))
	f.Add(2, []byte("\x30\x31\x32\x33\x34\x35\x36\x37\x07\x06\x05\x04\x03\x02\x01\x00\xd0\xe1"))
	f.Fuzz(func(t *testing.T, burst int, ops []byte) {
		if len(ops) > 300 {
			return
		}
		agree(t, 1+int(uint(burst)%8), ops)
	})
}
