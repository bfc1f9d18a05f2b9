package password_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/latchwork/latchwork/oauth/password"
)

// cheap makes the tests fast; TestDefaults looks at the real costs.
func cheap(t testing.TB, change ...func(*password.Config)) *password.Hasher {
	cfg := password.Config{Memory: 8, Iterations: 1}
	for _, c := range change {
		c(&cfg)
	}
	h, err := password.New(cfg)
	require.NoError(t, err)
	return h
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	h, err := password.New(password.Config{})
	require.NoError(t, err)
	hash, err := h.Hash(t.Context(), "correct horse battery staple")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$"), hash)
	ok, outdated, err := h.Verify(t.Context(), hash, "correct horse battery staple")
	require.NoError(t, err)
	require.True(t, ok)
	require.False(t, outdated)
}

func TestVerify(t *testing.T) {
	t.Parallel()
	h := cheap(t)
	for _, good := range []string{"x", "correct horse battery staple", strings.Repeat("ü", 64), strings.Repeat("x", password.MaxLength), "", " "} {
		hash, err := h.Hash(t.Context(), good)
		require.NoError(t, err)
		ok, outdated, err := h.Verify(t.Context(), hash, good)
		require.NoError(t, err)
		require.True(t, ok)
		require.False(t, outdated)
		for _, wrong := range []string{good + "x", "X" + good, strings.Repeat("x", password.MaxLength+1), good + "\x00"} {
			ok, _, err := h.Verify(t.Context(), hash, wrong)
			require.NoError(t, err)
			require.False(t, ok)
		}
		again, err := h.Hash(t.Context(), good)
		require.NoError(t, err)
		require.NotEqual(t, hash, again, "each hash has its own salt")
	}
}

func TestNobody(t *testing.T) {
	t.Parallel()
	h := cheap(t)
	for _, p := range []string{"", "x", "\x00"} {
		ok, outdated, err := h.Verify(t.Context(), "", p)
		require.NoError(t, err)
		require.False(t, ok)
		require.False(t, outdated)
	}
}

func TestOutdated(t *testing.T) {
	t.Parallel()
	old, err := cheap(t).Hash(t.Context(), "secret")
	require.NoError(t, err)
	dearer := cheap(t, func(c *password.Config) { c.Iterations = 2 })
	ok, outdated, err := dearer.Verify(t.Context(), old, "secret")
	require.NoError(t, err)
	require.True(t, ok)
	require.True(t, outdated)
	ok, outdated, err = dearer.Verify(t.Context(), old, "wrong")
	require.NoError(t, err)
	require.False(t, ok)
	require.False(t, outdated, "only a right password can be hashed anew")
}

func TestBcrypt(t *testing.T) {
	t.Parallel()
	h := cheap(t)
	made, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	require.NoError(t, err)
	for _, version := range []string{"$2y$", "$2a$", "$2b$"} {
		hash := version + string(made[4:])
		ok, outdated, err := h.Verify(t.Context(), hash, "secret")
		require.NoError(t, err)
		require.True(t, ok)
		require.True(t, outdated)
		ok, _, err = h.Verify(t.Context(), hash, "Secret")
		require.NoError(t, err)
		require.False(t, ok)
	}
	for _, bad := range []string{
		"$2y$10$short", "$2y$1x" + string(made[6:]), "$2y$04$!" + string(made[8:]),
		"$2y$17" + string(made[6:]), "$2y$31" + string(made[6:]), // days of work that somebody wrote into a database
	} {
		_, _, err = h.Verify(t.Context(), bad, "secret")
		require.ErrorIs(t, err, password.ErrFormat, bad)
	}
}

// A hash as Laravel's Hash::make wrote it, for the password "password".
func TestLaravel(t *testing.T) {
	t.Parallel()
	ok, outdated, err := cheap(t).Verify(t.Context(), "$2y$10$92IXUNpkjO0rOQ5byMi.Ye4oKoEa3Ro9llC/.og/at2.uheWG/igi", "password")
	require.NoError(t, err)
	require.True(t, ok)
	require.True(t, outdated)
}

func TestUnknownFormats(t *testing.T) {
	t.Parallel()
	h := cheap(t)
	hash, err := h.Hash(t.Context(), "secret")
	require.NoError(t, err)
	for _, bad := range []string{
		"secret", "$", "$argon2id$", "$argon2i$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		strings.Replace(hash, "v=19", "v=16", 1), strings.Replace(hash, "m=8", "m=08", 1), strings.Replace(hash, "m=8", "m=4294967295", 1),
		strings.Replace(hash, "m=8", "m=99999999999", 1), strings.Replace(hash, "t=1", "t=0", 1), strings.Replace(hash, "t=1", "t=100000", 1),
		strings.Replace(hash, "p=1", "p=255", 1), strings.Replace(hash, "p=1", "p=0", 1), hash + "=", hash + "$", hash[:len(hash)-40], " " + hash,
		strings.Repeat("$", 1000), "$1$md5$crypt", "5f4dcc3b5aa765d61d8327deb882cf99",
	} {
		ok, _, err := h.Verify(t.Context(), bad, "secret")
		require.ErrorIs(t, err, password.ErrFormat, bad)
		require.False(t, ok)
	}
}

func TestConfigFaults(t *testing.T) {
	t.Parallel()
	for _, cfg := range []password.Config{
		{Memory: 7}, {Memory: 1 << 30}, {Iterations: 1000}, {Parallelism: 100}, {Concurrent: -1}, {Queue: -1}, {Wait: -1},
	} {
		_, err := password.New(cfg)
		require.ErrorContains(t, err, "password: ")
	}
}

func TestUnacceptablePasswordsAreNotHashed(t *testing.T) {
	t.Parallel()
	h := cheap(t)
	for _, bad := range []string{strings.Repeat("x", password.MaxLength+1), "a\x00b"} {
		_, err := h.Hash(t.Context(), bad)
		require.Error(t, err)
		require.NotContains(t, err.Error(), bad)
	}
}

// So many may sign in at the same moment, by the costs and the gate that a
// server with two cores has when it is told nothing.
func TestSixtyFourAtOnce(t *testing.T) {
	h, err := password.New(password.Config{Concurrent: 4})
	require.NoError(t, err)
	hash, err := h.Hash(t.Context(), "correct horse battery staple")
	require.NoError(t, err)
	verify := func(n int) (right, busy int64, took time.Duration) {
		var ok, refused atomic.Int64
		var group sync.WaitGroup
		start := time.Now()
		for range n {
			group.Go(func() {
				switch is, _, err := h.Verify(context.Background(), hash, "correct horse battery staple"); {
				case is:
					ok.Add(1)
				case errors.Is(err, password.ErrBusy):
					refused.Add(1)
				}
			})
		}
		group.Wait()
		return ok.Load(), refused.Load(), time.Since(start)
	}
	_, _, four := verify(4)
	right, busy, took := verify(64)
	if took >= 5*time.Second || 16*four >= 5*time.Second {
		t.Skipf("this machine hashes four passwords in %v, and 64 in %v", four, took)
	}
	require.EqualValues(t, 64, right, "%d were turned away", busy)
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := cheap(t).Hash(ctx, "x")
	require.ErrorIs(t, err, context.Canceled)
}

func FuzzVerify(f *testing.F) {
	h := cheap(f)
	hash, err := h.Hash(context.Background(), "secret")
	require.NoError(f, err)
	f.Add(hash, "secret")
	f.Add("$2y$04$", "x")
	f.Fuzz(func(t *testing.T, hash, p string) {
		if strings.HasPrefix(hash, "$2") && len(hash) > 6 && hash[4:6] > "05" {
			return // slow on purpose
		}
		ok, _, err := h.Verify(context.Background(), hash, p)
		if ok {
			require.NoError(t, err)
		}
	})
}

func Example() {
	h, err := password.New(password.Config{})
	if err != nil {
		panic(err)
	}
	hash, err := h.Hash(context.Background(), "correct horse battery staple")
	if err != nil {
		panic(err)
	}
	ok, _, err := h.Verify(context.Background(), hash, "correct horse battery staple")
	fmt.Println(ok, err)
	// Output: true <nil>
}
