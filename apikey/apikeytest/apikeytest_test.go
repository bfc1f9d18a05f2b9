package apikeytest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/apikey/apikeytest"
)

func openMemory() (apikeytest.Backend, error) {
	store := apikey.NewMemoryStore()
	return apikeytest.Backend{Store: store, Activity: store, Feed: store}, nil
}

func TestMemoryStore(t *testing.T) {
	t.Parallel()
	apikeytest.TestStore(t, func(*testing.T) apikeytest.Backend {
		b, _ := openMemory()
		return b
	})
}

func TestRightStorePassesEveryTime(t *testing.T) {
	t.Parallel()
	for range 50 {
		require.NoError(t, apikeytest.CheckStore(t.Context(), openMemory))
	}
}

func TestWrappersPass(t *testing.T) {
	t.Parallel()
	require.NoError(t, apikeytest.CheckStore(t.Context(), func() (apikeytest.Backend, error) {
		store := apikey.NewMemoryStore()
		return apikeytest.Backend{Store: apikeytest.NewSpy(store), Activity: store, Feed: store, Second: store}, nil
	}), "a Spy in front of a store, and a second handle")
	require.NoError(t, apikeytest.CheckStore(t.Context(), func() (apikeytest.Backend, error) {
		return newOverlay().backend(), nil
	}), "what the mutants are made from")
	for _, sight := range []int{5, 50} { // with less, going through all keys takes too long here
		require.NoError(t, apikeytest.CheckStore(t.Context(), func() (apikeytest.Backend, error) {
			store := apikey.NewMemoryStore()
			spy := apikeytest.NewSpy(store)
			spy.Sight(sight)
			return apikeytest.Backend{Store: spy, Activity: store, Feed: store}, nil
		}), "pages may be short")
	}
}

func TestEveryMistakeIsCaught(t *testing.T) {
	t.Parallel()
	mutants := slices.Concat(
		writeMutants(), rehashMutants(), readMutants(), listMutants(), eventMutants(), contextMutants(),
		useMutants(), purgeMutants(), feedMutants(),
	)
	unproved := apikeytest.CheckNames()
	for _, m := range mutants {
		unproved = slices.DeleteFunc(unproved, func(name string) bool { return name == m.check })
		t.Run(m.mistake, func(t *testing.T) {
			t.Parallel()
			err := apikeytest.CheckStoreOnly(t.Context(), m.check, func() (apikeytest.Backend, error) {
				o := newOverlay()
				m.make(o)
				return o.backend(), nil
			})
			require.ErrorContains(t, err, "apikeytest: "+m.check+": ")
			require.ErrorContains(t, err, "the contract: ")
		})
	}
	require.Empty(t, unproved, "a check that no mistake is made for")
}

func TestNames(t *testing.T) {
	t.Parallel()
	names := apikeytest.CheckNames()
	slices.Sort(names)
	require.Len(t, slices.Compact(slices.Clone(names)), len(names), "each once")
	for _, name := range names {
		require.NotContains(t, name, ":")
	}
}

func TestNoActivity(t *testing.T) {
	t.Parallel()
	err := apikeytest.CheckStore(t.Context(), func() (apikeytest.Backend, error) {
		return apikeytest.Backend{Store: apikey.NewMemoryStore()}, nil
	})
	failed := strings.Count(err.Error(), "apikeytest: ")
	require.Equal(t, failed, strings.Count(err.Error(), "Backend.Activity is nil"), "nothing else is wrong: %v", err)
	for _, check := range []string{
		"event of a change", "no event without a change", "events newest first", "copies events",
		"record adds", "days", "last use", "purge", "record is whole",
	} {
		require.ErrorContains(t, err, "apikeytest: "+check+": ")
	}
}

// A feed only shortens a delay, so a store may do without.
func TestNoFeed(t *testing.T) {
	t.Parallel()
	require.NoError(t, apikeytest.CheckStore(t.Context(), func() (apikeytest.Backend, error) {
		store := apikey.NewMemoryStore()
		return apikeytest.Backend{Store: store, Activity: store}, nil
	}))
	t.Run("is skipped", func(t *testing.T) {
		apikeytest.TestStore(t, func(*testing.T) apikeytest.Backend {
			store := apikey.NewMemoryStore()
			return apikeytest.Backend{Store: store, Activity: store}
		})
	})
}

func TestNoStore(t *testing.T) {
	t.Parallel()
	err := apikeytest.CheckStore(t.Context(), func() (apikeytest.Backend, error) { return apikeytest.Backend{}, nil })
	require.Equal(t, len(apikeytest.CheckNames()), strings.Count(err.Error(), "the Backend has no Store"))
	boom := errors.New("boom")
	err = apikeytest.CheckStore(t.Context(), func() (apikeytest.Backend, error) { return apikeytest.Backend{}, boom })
	require.ErrorIs(t, err, boom)
	require.Equal(t, len(apikeytest.CheckNames()), strings.Count(err.Error(), "open: boom"))
}

func TestStoreThatPanics(t *testing.T) {
	t.Parallel()
	err := apikeytest.CheckStore(t.Context(), func() (apikeytest.Backend, error) {
		o := newOverlay()
		o.update = func(context.Context, apikey.Record, apikey.Event) error { panic("nil map") }
		return o.backend(), nil
	})
	require.ErrorContains(t, err, "apikeytest: update: panic: nil map")
	require.ErrorContains(t, err, "apikeytest: one update wins: one of 64 at once got panic: nil map")
	require.NotContains(t, err.Error(), "apikeytest: create: ", "the others go on")
}

func TestStoreThatHangs(t *testing.T) {
	t.Parallel()
	for name, hang := range map[string]func(context.Context) error{
		"and heeds its context": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		"and heeds nothing":     func(context.Context) error { select {} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := apikeytest.CheckStoreWithin(t.Context(), func() (apikeytest.Backend, error) {
				o := newOverlay()
				o.rehash = func(ctx context.Context, _ string, _ apikey.Hash, _ apikey.SecretHash) error { return hang(ctx) }
				return o.backend(), nil
			}, 50*time.Millisecond)
			require.ErrorContains(t, err, "apikeytest: rehash: ")
			if strings.HasSuffix(name, "nothing") {
				require.ErrorContains(t, err, "the store hangs, and does not heed its context")
			} else {
				require.ErrorIs(t, err, context.DeadlineExceeded)
			}
		})
	}
}

func TestContextOfTheSuite(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := apikeytest.CheckStore(ctx, openMemory)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "apikeytest: create: ")
}
