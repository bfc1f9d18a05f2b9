package oauthtest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/oauth/oauthtest"
)

func openMemory() (oauthtest.Backend, error) {
	return oauthtest.Backend{Store: oauth.NewMemoryStore()}, nil
}

func TestMemoryStore(t *testing.T) {
	t.Parallel()
	oauthtest.TestStore(t, func(*testing.T) oauthtest.Backend {
		b, _ := openMemory()
		return b
	})
}

func TestRightStorePassesEveryTime(t *testing.T) {
	t.Parallel()
	for range 50 {
		require.NoError(t, oauthtest.CheckStore(t.Context(), openMemory))
	}
}

func TestWrappersPass(t *testing.T) {
	t.Parallel()
	require.NoError(t, oauthtest.CheckStore(t.Context(), func() (oauthtest.Backend, error) {
		store := oauth.NewMemoryStore()
		return oauthtest.Backend{Store: oauthtest.NewSpy(store), Second: store}, nil
	}), "a Spy in front of a store, and a second handle")
	require.NoError(t, oauthtest.CheckStore(t.Context(), func() (oauthtest.Backend, error) {
		return newLedger().backend(), nil
	}), "what the mutants are made from")
}

func TestEveryMistakeIsCaught(t *testing.T) {
	t.Parallel()
	unproved := oauthtest.CheckNames()
	for _, m := range mutants() {
		unproved = slices.DeleteFunc(unproved, func(name string) bool { return name == m.check })
		t.Run(m.mistake, func(t *testing.T) {
			t.Parallel()
			err := oauthtest.CheckOnly(t.Context(), m.check, func() (oauthtest.Backend, error) {
				l := newLedger()
				m.make(l)
				return l.backend(), nil
			}, time.Minute)
			require.ErrorContains(t, err, "oauthtest: "+m.check+": ")
			require.NotContains(t, err.Error(), "panic")
		})
	}
	require.Empty(t, unproved, "a check that no mistake is made for")
}

func TestNames(t *testing.T) {
	t.Parallel()
	names := oauthtest.CheckNames()
	slices.Sort(names)
	require.Len(t, slices.Compact(slices.Clone(names)), len(names), "each once")
	for _, name := range names {
		require.NotContains(t, name, ":")
	}
}

func TestNoStore(t *testing.T) {
	t.Parallel()
	err := oauthtest.CheckStore(t.Context(), func() (oauthtest.Backend, error) { return oauthtest.Backend{}, nil })
	require.Equal(t, len(oauthtest.CheckNames()), strings.Count(err.Error(), "the Backend has no Store"))
	boom := errors.New("boom")
	err = oauthtest.CheckStore(t.Context(), func() (oauthtest.Backend, error) { return oauthtest.Backend{}, boom })
	require.ErrorIs(t, err, boom)
	require.Equal(t, len(oauthtest.CheckNames()), strings.Count(err.Error(), "open: boom"))
}

func TestStoreThatPanics(t *testing.T) {
	t.Parallel()
	err := oauthtest.CheckStore(t.Context(), func() (oauthtest.Backend, error) {
		l := newLedger()
		l.spend = func(context.Context, oauth.Spend, []oauth.Credential) (oauth.Spent, error) { panic("nil map") }
		return l.backend(), nil
	})
	require.ErrorContains(t, err, "oauthtest: spend: panic: nil map")
	require.ErrorContains(t, err, "oauthtest: one spend wins: one of 64 at once got panic: nil map")
	require.NotContains(t, err.Error(), "oauthtest: create: ", "the others go on")
}

func TestStoreThatHangs(t *testing.T) {
	t.Parallel()
	for name, hang := range map[string]func(context.Context) error{
		"and heeds its context": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		"and heeds nothing":     func(context.Context) error { select {} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := oauthtest.CheckOnly(t.Context(), "loser", func() (oauthtest.Backend, error) {
				l := newLedger()
				l.spend = func(ctx context.Context, _ oauth.Spend, _ []oauth.Credential) (oauth.Spent, error) {
					return oauth.Spent{}, hang(ctx)
				}
				return l.backend(), nil
			}, 50*time.Millisecond)
			require.ErrorContains(t, err, "oauthtest: loser: ")
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
	err := oauthtest.CheckStore(ctx, openMemory)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "oauthtest: create: ")
}

// A store in trouble fails the suite, whichever of its answers is the bad one.
func TestNoErrorGoesUnnoticed(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	for _, check := range oauthtest.CheckNames() {
		t.Run(check, func(t *testing.T) {
			t.Parallel()
			run := func(at int64) (calls int64, err error) {
				f := &failing{Store: oauth.NewMemoryStore(), err: boom, at: at}
				err = oauthtest.CheckOnly(t.Context(), check, func() (oauthtest.Backend, error) {
					return oauthtest.Backend{Store: f}, nil
				}, time.Minute)
				return f.calls.Load(), err
			}
			calls, err := run(0)
			require.NoError(t, err)
			for at := int64(1); at <= calls; at += 1 + at/8 {
				// Races differ in how many calls they take.
				if made, err := run(at); made >= at {
					require.Error(t, err, "call %d of %d", at, made)
				}
			}
		})
	}
}
