package oauth

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func networkOf(i int) netip.Addr {
	var a [16]byte
	a[0] = 0x20
	binary.BigEndian.PutUint32(a[4:], uint32(i))
	return netip.AddrFrom16(a)
}

// Somebody tries one password of each of many users, from an address of its own
// each time, in less time than a budget needs to refill. No memory is needed for
// that, and those who are blocked stay blocked.
func TestSprayingPasswords(t *testing.T) {
	const users, sprayed, entries = 10, 30_000, 7 << 10
	g := newGuesses(Limits{Account: Rate{Burst: 5, Every: time.Hour}}.complete(), entries, nil, nil)
	try := func(name string, addr int) *Error {
		it, rejected := g.begin(t.Context(), attempt{name: name, password: "wrong", source: networkOf(addr)})
		if rejected == nil {
			g.wrong(it)
		}
		return rejected
	}
	for i := range users {
		for addr := range 5 {
			require.Nil(t, try(fmt.Sprint("user", i), -1000*i-addr))
		}
	}
	before := heap()
	refused := 0
	for i := range sprayed {
		if try(fmt.Sprint("spray", i), i) != nil {
			refused++
		}
	}
	require.Less(t, heap()-before, int64(64<<10), "of nearly one MiB")
	require.Zero(t, refused, "who comes for the first time is let in")
	require.Empty(t, g.underway)
	for i := range users {
		rejected := try(fmt.Sprint("user", i), -1_000_000-i)
		require.NotNil(t, rejected, "user %d can be guessed at again", i)
		require.Equal(t, 429, rejected.Status)
	}
}

func heap() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// What is asked before a secret is looked at costs no memory.
func TestSecretGuessDoesNotAllocate(t *testing.T) {
	b := newSecrets(Limits{}.complete().ClientSecret)
	p, source := presentedClient{id: "first", secret: "wrong"}, netip.MustParseAddr("192.0.2.1")
	require.Zero(t, testing.AllocsPerRun(100, func() {
		guess := b.guess(p, source)
		guess.wait()
		guess.failed()
	}))
}

func TestSourceText(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8:1:2:3::4": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64",
	} {
		require.Equal(t, want, sourceText(netip.MustParseAddr(addr)))
	}
	require.Equal(t, "invalid IP", sourceText(netip.Addr{}))
}
