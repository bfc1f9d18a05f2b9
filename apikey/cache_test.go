package apikey_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/scope"
)

// ttl is the default, after which nothing is used any more.
const ttl = 5 * time.Second

// in runs a test in a bubble, where time passes at once and a goroutine that is
// left over is a failure. Attack cases are named by their number.
func in(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, test)
}

// pair is two nodes on one store. The clocks of both stand still, so that only
// the age of what is cached matters.
func pair(t *testing.T, edits ...func(*apikey.Config)) (here, there *house) {
	here = newHouse(t, edits...)
	return here, newHouseOn(t, here.store, edits...)
}

func TestVerifyReadsOnce(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		first := h.issue(t, func(s *apikey.Spec) { s.Owner, s.AllowedIPs = "account 7", list("192.0.2.0/24") })
		second, err := h.Rotate(t.Context(), first.Key.ID, 0, time.Hour)
		require.NoError(t, err)
		_, err = h.VerifyCached(first.Secret.Reveal())
		require.ErrorIs(t, err, apikey.ErrNotCached)
		for _, secret := range []apikey.Secret{first.Secret, second.Secret} {
			require.Equal(t, second.Key, h.opens(t, secret, first.Key.ID).Key())
			for range 10 {
				v, err := h.VerifyCached(secret.Reveal())
				require.NoError(t, err)
				require.Equal(t, second.Key, v.Key())
				h.opens(t, secret, first.Key.ID)
			}
		}
		require.Equal(t, 2, h.spy.Calls("Find"), "one for each secret")
		time.Sleep(ttl)
		_, err = h.VerifyCached(first.Secret.Reveal())
		require.ErrorIs(t, err, apikey.ErrNotCached)
	})
}

func TestNoCache(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t, uncached)
		issued := h.issue(t)
		for range 3 {
			h.opens(t, issued.Secret, issued.Key.ID)
			_, err := h.VerifyCached(issued.Secret.Reveal())
			require.ErrorIs(t, err, apikey.ErrNotCached)
			h.denies(t, newHouse(t).issue(t).Secret, apikey.ErrInvalid)
		}
		require.Equal(t, 6, h.spy.Calls("Find"))
		h.plant(t, issued.Key.ID, func(r *apikey.Record) { r.Key.Enabled = false })
		h.denies(t, issued.Secret, apikey.ErrDisabled)
	})
}

// Whatever is done to a key here is in effect here when the call returns: for
// both secrets, whoever does it. A key that is disabled or revoked, a permission
// that is taken, a secret whose overlap is over.
func TestChangesAreInEffectAtOnce(t *testing.T) {
	type keys struct {
		*house
		old, present apikey.Secret
		id           string
	}
	for name, c := range map[string]struct {
		change       func(context.Context, keys) error
		old, present error
	}{
		"disable": {func(ctx context.Context, k keys) error { _, err := k.Disable(ctx, k.id); return err }, apikey.ErrDisabled, apikey.ErrDisabled},
		"revoke": {func(ctx context.Context, k keys) error {
			return k.Revoke(ctx, k.id, apikey.RevokeOptions{})
		}, apikey.ErrRevoked, apikey.ErrRevoked},
		"revoke, descendants": {func(ctx context.Context, k keys) error {
			return k.Revoke(ctx, k.id, apikey.RevokeOptions{Descendants: true})
		}, apikey.ErrRevoked, apikey.ErrRevoked},
		"revoke as somebody": {func(ctx context.Context, k keys) error {
			return k.As(actor()).Revoke(ctx, k.id, apikey.RevokeOptions{})
		}, apikey.ErrRevoked, apikey.ErrRevoked},
		"rotate": {func(ctx context.Context, k keys) error {
			_, err := k.Rotate(ctx, k.id, 0, 0)
			return err
		}, apikey.ErrInvalid, apikey.ErrInvalid},
		"rotate, overlap": {func(ctx context.Context, k keys) error {
			_, err := k.Rotate(ctx, k.id, 0, time.Hour)
			return err
		}, apikey.ErrInvalid, nil},
		"expire": {func(ctx context.Context, k keys) error {
			_, err := k.Update(ctx, k.id, 0, func(s *apikey.Spec) { s.ExpiresAt = k.in(time.Microsecond) })
			k.clock.Advance(time.Microsecond)
			return err
		}, apikey.ErrExpired, apikey.ErrExpired},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				h := newHouse(t)
				first := h.issue(t)
				second, err := h.Rotate(t.Context(), first.Key.ID, 0, time.Hour)
				require.NoError(t, err)
				child, err := h.As(actor(func(a *apikey.Actor) { a.ID = "user:2" })).Create(t.Context(), spec())
				require.NoError(t, err)
				for _, s := range []apikey.Secret{first.Secret, second.Secret, child.Secret} {
					_, err := h.Verify(t.Context(), s.Reveal())
					require.NoError(t, err)
				}
				require.NoError(t, c.change(t.Context(), keys{h, first.Secret, second.Secret, first.Key.ID}))
				for secret, want := range map[*apikey.Secret]error{&first.Secret: c.old, &second.Secret: c.present} {
					if want != nil {
						h.denies(t, *secret, want)
					} else {
						h.opens(t, *secret, first.Key.ID)
					}
				}
				reads := h.spy.Calls("Find")
				h.opens(t, child.Secret, child.Key.ID)
				require.Equal(t, reads, h.spy.Calls("Find"), "others stay cached")
			})
		})
	}
}

// So are changes of what a key may do.
func TestUpdatesAreInEffectAtOnce(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		issued := h.issue(t)
		for i := range 20 {
			grant := fmt.Sprint("users.view", i)
			_, err := h.Update(t.Context(), issued.Key.ID, 0, func(s *apikey.Spec) {
				s.Permissions, s.AllowedIPs, s.Name = set(grant), list(fmt.Sprint("192.0.2.", i)), grant
			})
			require.NoError(t, err)
			for range 2 {
				k := h.opens(t, issued.Secret, issued.Key.ID).Key()
				require.Equal(t, grant, k.Permissions.String())
				require.Equal(t, grant, k.Name)
				require.Equal(t, fmt.Sprint("192.0.2.", i), k.AllowedIPs.String())
			}
			require.Equal(t, i+1, h.spy.Calls("Find"))
		}
		_, err := h.Disable(t.Context(), issued.Key.ID)
		require.NoError(t, err)
		h.denies(t, issued.Secret, apikey.ErrDisabled)
		_, err = h.Enable(t.Context(), issued.Key.ID)
		require.NoError(t, err)
		h.opens(t, issued.Secret, issued.Key.ID)
	})
}

// A key that is revoked elsewhere is dead after the TTL, counted from
// the start of the read, whether it is used meanwhile or not: an idle one gets
// no free pass.
func TestRevokedElsewhere(t *testing.T) {
	for _, busy := range []bool{false, true} {
		t.Run(fmt.Sprint("busy ", busy), func(t *testing.T) {
			in(t, func(t *testing.T) {
				here, there := pair(t)
				issued := here.issue(t)
				release := there.spy.HoldAnswers("Find")
				var first sync.WaitGroup
				first.Go(func() { there.opens(t, issued.Secret, issued.Key.ID) })
				synctest.Wait() // the answer is on its way
				require.NoError(t, here.Revoke(t.Context(), issued.Key.ID, apikey.RevokeOptions{}))
				time.Sleep(time.Second)
				release()
				first.Wait()
				if busy {
					// Refreshes find nothing newer: they fail.
					there.spy.Fail(errors.New("boom"), "Find")
				}
				for range 4 * 10 {
					if busy {
						there.opens(t, issued.Secret, issued.Key.ID)
					}
					time.Sleep(100 * time.Millisecond)
				}
				there.spy.Fail(nil)
				there.denies(t, issued.Secret, apikey.ErrRevoked)
			})
		})
	}
}

// A change that somebody else made already is in effect here as if it had been
// made here.
func TestRevokedByBoth(t *testing.T) {
	in(t, func(t *testing.T) {
		here, there := pair(t)
		first, second := here.issue(t), here.issue(t)
		for _, issued := range []apikey.Issued{first, second} {
			there.opens(t, issued.Secret, issued.Key.ID)
		}
		require.NoError(t, here.Revoke(t.Context(), first.Key.ID, apikey.RevokeOptions{}))
		_, err := here.Disable(t.Context(), second.Key.ID)
		require.NoError(t, err)
		there.opens(t, first.Secret, first.Key.ID)

		require.NoError(t, there.Revoke(t.Context(), first.Key.ID, apikey.RevokeOptions{}))
		there.denies(t, first.Secret, apikey.ErrRevoked)
		_, err = there.Disable(t.Context(), second.Key.ID)
		require.NoError(t, err)
		there.denies(t, second.Secret, apikey.ErrDisabled)
	})
}

// A change that may have been stored although the store did not say so is not
// hidden by what is cached.
func TestAnswerOfAChangeIsLost(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		issued := h.issue(t)
		h.opens(t, issued.Secret, issued.Key.ID)
		release := h.spy.HoldAnswers("Update")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, h.Revoke(ctx, issued.Key.ID, apikey.RevokeOptions{}), context.DeadlineExceeded)
		release()
		h.denies(t, issued.Secret, apikey.ErrRevoked)
	})
}

// A forgetful store does what it is told, and then answers with something else,
// so many times.
type forgetful struct {
	apikey.Store

	times  int
	answer func() error
}

func (f *forgetful) Update(ctx context.Context, r apikey.Record, e apikey.Event) error {
	err := f.Store.Update(ctx, r, e)
	if f.times--; err == nil && f.times >= 0 {
		return f.answer()
	}
	return err
}

// forget puts a Manager in front of a forgetful store.
func forget(t *testing.T, answer func() error) (*house, *forgetful) {
	t.Helper()
	h := newHouse(t)
	f := &forgetful{Store: h.spy, answer: answer}
	var err error
	h.Manager, err = apikey.New(f, apikey.Config{
		Prefix: "paym", Types: []string{"admin"}, Activity: h.store, Now: h.clock.Now, OnEvent: h.heard.hear,
	})
	require.NoError(t, err)
	return h, f
}

// A store that panics may have stored the change as well, and so may one that
// sees a conflict with itself.
func TestChangeIsStoredAndThenDenied(t *testing.T) {
	t.Parallel()
	revoke := func(h *house, id string) error { return h.Revoke(t.Context(), id, apikey.RevokeOptions{}) }
	for name, answer := range map[string]func() error{
		"panic":    func() error { panic("the driver") },
		"error":    func() error { return errors.New("connection reset") },
		"conflict": func() error { return apikey.ErrConflict },
	} {
		h, f := forget(t, answer)
		f.times = 1
		issued := h.issue(t)
		other := h.issue(t)
		h.opens(t, issued.Secret, issued.Key.ID)
		h.opens(t, other.Secret, other.Key.ID)
		switch name {
		case "panic":
			require.PanicsWithValue(t, "the driver", func() { _ = revoke(h, issued.Key.ID) })
		case "error":
			require.ErrorContains(t, revoke(h, issued.Key.ID), "connection reset")
		default:
			require.NoError(t, revoke(h, issued.Key.ID))
		}
		_, err := h.VerifyCached(issued.Secret.Reveal())
		require.Error(t, err, name)
		h.denies(t, issued.Secret, apikey.ErrRevoked)
		_, err = h.VerifyCached(other.Secret.Reveal())
		require.NoError(t, err, "%s: it was of another key", name)
	}
}

// The conflict is the store's last word before it goes down.
func TestChangeIsStoredAndThenNothingCanBeRead(t *testing.T) {
	t.Parallel()
	h, f := forget(t, func() error { return apikey.ErrConflict })
	issued := h.issue(t)
	h.opens(t, issued.Secret, issued.Key.ID)
	f.times, f.answer = 1, func() error {
		h.spy.Fail(errors.New("down"), "Get")
		return apikey.ErrConflict
	}
	require.ErrorContains(t, h.Revoke(t.Context(), issued.Key.ID, apikey.RevokeOptions{}), "down")
	h.denies(t, issued.Secret, apikey.ErrRevoked)
}

// No verification succeeds that starts after the revocation returned.
func TestRevokeRacesVerify(t *testing.T) {
	t.Parallel()
	for range 20 {
		h := newHouse(t)
		issued := h.issue(t)
		secret := issued.Secret.Reveal()
		var verifiers, begun sync.WaitGroup
		var late sync.Map
		revoked := make(chan struct{})
		for i := range 1000 {
			begun.Add(1)
			verifiers.Go(func() {
				begun.Done()
				for range 20 {
					after := false
					select {
					case <-revoked:
						after = true
					default:
					}
					if _, err := h.Verify(context.Background(), secret); err == nil && after {
						late.Store(i, true)
					}
				}
			})
		}
		begun.Wait()
		require.NoError(t, h.Revoke(t.Context(), issued.Key.ID, apikey.RevokeOptions{}))
		close(revoked)
		verifiers.Wait()
		late.Range(func(i, _ any) bool {
			t.Errorf("verifier %v succeeded after the revocation", i)
			return true
		})
		h.denies(t, issued.Secret, apikey.ErrRevoked)
	}
}

// What depends on the time is judged on every call, by the
// Manager's clock, and ages are not.
func TestTimeIsJudgedOnEveryCall(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		first := h.issue(t, func(s *apikey.Spec) { s.ExpiresAt = h.in(2 * time.Hour) })
		second, err := h.Rotate(t.Context(), first.Key.ID, 0, time.Hour)
		require.NoError(t, err)
		opens := func(secrets ...apikey.Secret) {
			for _, s := range secrets {
				h.opens(t, s, first.Key.ID)
			}
		}
		opens(first.Secret, second.Secret)
		h.clock.Advance(time.Hour - 1)
		opens(first.Secret, second.Secret)
		h.clock.Advance(1)
		h.denies(t, first.Secret, apikey.ErrInvalid)
		opens(second.Secret)
		h.clock.Advance(time.Hour - 1)
		opens(second.Secret)
		h.clock.Advance(1)
		h.denies(t, second.Secret, apikey.ErrExpired)
		h.denies(t, first.Secret, apikey.ErrInvalid)

		// A clock that goes back is no reason to panic.
		h.clock.Advance(-10 * time.Hour)
		opens(first.Secret, second.Secret)
		require.Equal(t, 2, h.spy.Calls("Find"))
		time.Sleep(ttl)
		opens(first.Secret, second.Secret)
		require.Equal(t, 4, h.spy.Calls("Find"))
	})
}

// Without a clock of its own, the Manager asks the real one: once.
func TestRealTime(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t, func(c *apikey.Config) { c.Now = nil })
		issued := h.issue(t, func(s *apikey.Spec) { s.ExpiresAt = time.Now().Add(time.Second) })
		h.opens(t, issued.Secret, issued.Key.ID)
		time.Sleep(time.Second - time.Microsecond)
		h.opens(t, issued.Secret, issued.Key.ID)
		time.Sleep(time.Microsecond)
		h.denies(t, issued.Secret, apikey.ErrExpired)
		require.Equal(t, 1, h.spy.Calls("Find"))
	})
}

// The store is down. What is cached lives to its time; nothing is
// allowed or denied that is not known.
func TestStoreDown(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		cached, unknown := h.issue(t), h.issue(t)
		h.opens(t, cached.Secret, cached.Key.ID)
		boom := errors.New("boom")
		h.spy.Fail(boom)
		for range 50 {
			h.opens(t, cached.Secret, cached.Key.ID)
			_, err := h.Verify(t.Context(), unknown.Secret.Reveal())
			require.ErrorIs(t, err, boom)
			time.Sleep(ttl / 50)
		}
		for _, s := range []apikey.Secret{cached.Secret, unknown.Secret} {
			v, err := h.Verify(t.Context(), s.Reveal())
			require.ErrorIs(t, err, boom)
			require.Equal(t, apikey.Verified{}, v)
			for _, denial := range []error{apikey.ErrInvalid, apikey.ErrRevoked, apikey.ErrDisabled, apikey.ErrExpired, apikey.ErrNotFound} {
				require.NotErrorIs(t, err, denial)
			}
		}
		// None of that is remembered.
		h.spy.Fail(nil)
		h.opens(t, cached.Secret, cached.Key.ID)
		h.opens(t, unknown.Secret, unknown.Key.ID)
	})
}

// A laggard is a replica: it answers with records as they once were.
type laggard struct {
	apikey.Store

	mu  sync.Mutex
	old map[apikey.Hash]apikey.Record
}

func (l *laggard) Find(ctx context.Context, hashes []apikey.Hash) (apikey.Record, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range hashes {
		if r, ok := l.old[h]; ok {
			return r.Clone(), nil
		}
	}
	return l.Store.Find(ctx, hashes)
}

// lag makes the records of now the answers from now on, or ends that.
func (l *laggard) lag(records ...apikey.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.old = map[apikey.Hash]apikey.Record{}
	for _, r := range records {
		for _, s := range r.Secrets {
			l.old[s.Hash] = r
		}
	}
}

// A replica that lags cannot revive a key, for twice the TTL.
func TestReplicaLags(t *testing.T) {
	in(t, func(t *testing.T) {
		store := apikey.NewMemoryStore()
		replica := &laggard{Store: store}
		m, err := apikey.New(replica, apikey.Config{Prefix: "paym"})
		require.NoError(t, err)
		issued, err := m.Create(t.Context(), spec())
		require.NoError(t, err)
		verify := func() error {
			_, err := m.Verify(t.Context(), issued.Secret.Reveal())
			return err
		}
		require.NoError(t, verify())
		before, err := store.Get(t.Context(), issued.Key.ID)
		require.NoError(t, err)
		replica.lag(before)
		require.NoError(t, m.Revoke(t.Context(), issued.Key.ID, apikey.RevokeOptions{}))
		for range 20 {
			require.Error(t, verify())
			require.NotErrorIs(t, verify(), apikey.ErrInvalid, "it is the store that is wrong")
			time.Sleep(2*ttl/20 - time.Nanosecond)
		}
		replica.lag()
		require.ErrorIs(t, verify(), apikey.ErrRevoked)
	})
}

// A key can be used at once, although its secret was tried just before,
// and is being tried.
func TestNewKeyAfterAProbe(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		secret, sum := foreign("1")
		for range 5 {
			h.denies(t, secret, apikey.ErrInvalid)
		}
		require.Equal(t, 1, h.spy.Calls("Find"), "it is remembered that there is none")
		k, err := h.Import(t.Context(), spec(), sum)
		require.NoError(t, err)
		h.opens(t, secret, k.ID)

		secret, sum = foreign("2")
		release := h.spy.HoldAnswers("Find")
		var probe sync.WaitGroup
		probe.Go(func() { _, _ = h.Verify(context.Background(), secret.Reveal()) })
		synctest.Wait()
		k, err = h.Import(t.Context(), spec(), sum)
		require.NoError(t, err)
		probe.Go(func() {
			synctest.Wait()
			release()
		})
		h.opens(t, secret, k.ID)
		probe.Wait()

		// Made by another node, it is known after a second at most.
		secret, sum = foreign("3")
		h.denies(t, secret, apikey.ErrInvalid)
		k, err = newHouseOn(t, h.store).Import(t.Context(), spec(), sum)
		require.NoError(t, err)
		time.Sleep(time.Second - time.Nanosecond)
		h.denies(t, secret, apikey.ErrInvalid)
		time.Sleep(time.Nanosecond)
		h.opens(t, secret, k.ID)
	})
}

// Many at once are one read; who gives up, gives up alone; a panic is an
// error for all, and nobody waits for ever.
func TestManyAtOnce(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		issued := h.issue(t)
		release := h.spy.Hold("Find")
		first, cancel := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		callers.Go(func() {
			if _, err := h.Verify(first, issued.Secret.Reveal()); !errors.Is(err, context.Canceled) {
				panic(err)
			}
		})
		synctest.Wait()
		for range 1000 {
			callers.Go(func() {
				if _, err := h.Verify(context.Background(), issued.Secret.Reveal()); err != nil {
					panic(err)
				}
			})
		}
		synctest.Wait()
		cancel()
		synctest.Wait()
		release()
		callers.Wait()
		require.Equal(t, 1, h.spy.Calls("Find"))
		require.Equal(t, uint64(1), h.Stats().Loads)
		require.Equal(t, uint64(1001), h.Stats().Misses)
	})
}

func TestPanicsOfCollaborators(t *testing.T) {
	in(t, func(t *testing.T) {
		var boom any = "boom"
		h := newHouse(t, func(c *apikey.Config) {
			c.Effective = func(_ context.Context, k apikey.Key) (scope.Set, error) {
				if boom != nil {
					panic(boom)
				}
				return k.Permissions, nil
			}
		})
		issued := h.issue(t)
		var callers sync.WaitGroup
		for range 100 {
			callers.Go(func() {
				_, err := h.Verify(context.Background(), issued.Secret.Reveal())
				if err == nil || errors.Is(err, apikey.ErrInvalid) {
					panic(fmt.Sprint("answered ", err))
				}
			})
		}
		callers.Wait()
		boom = nil
		h.opens(t, issued.Secret, issued.Key.ID)
	})
}

func TestBusy(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t, func(c *apikey.Config) { c.MaxLoads = 2 })
		keys := []apikey.Issued{h.issue(t), h.issue(t), h.issue(t)}
		release := h.spy.Hold("Find")
		var callers sync.WaitGroup
		for _, k := range keys[:2] {
			callers.Go(func() { h.opens(t, k.Secret, k.Key.ID) })
		}
		synctest.Wait()
		h.denies(t, keys[2].Secret, apikey.ErrBusy)
		release()
		callers.Wait()
		h.opens(t, keys[2].Secret, keys[2].Key.ID)
		require.Equal(t, uint64(1), h.Stats().Busy)
	})
}

// What the owner of a key loses, the key loses, within the TTL.
func TestOwnerIsDowngraded(t *testing.T) {
	in(t, func(t *testing.T) {
		role, failure := set("users.*"), error(nil)
		h := newHouse(t, withRole(&role, &failure))
		issued := h.issue(t)
		require.True(t, h.opens(t, issued.Secret, issued.Key.ID).Key().Permissions.Allows("users.view"))
		role = set()
		time.Sleep(ttl)
		require.True(t, h.opens(t, issued.Secret, issued.Key.ID).Key().Permissions.IsEmpty())

		// Of a key that is refused anyway nobody is asked.
		require.NoError(t, h.Revoke(t.Context(), issued.Key.ID, apikey.RevokeOptions{}))
		failure = errors.New("directory is down")
		h.denies(t, issued.Secret, apikey.ErrRevoked)
		expired := h.issue(t, func(s *apikey.Spec) { s.ExpiresAt = h.in(time.Second) })
		h.clock.Advance(time.Second)
		h.denies(t, expired.Secret, apikey.ErrExpired)
		h.clock.Advance(-time.Second)
		require.True(t, h.opens(t, expired.Secret, expired.Key.ID).Key().Permissions.IsEmpty())
	})
}

// Equal sets are shared, and only equal ones, whatever their texts look like one
// after the other.
func TestEqualSetsAreShared(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		for _, grants := range [][]string{
			{"a.b", "c"}, {"a", "b.c"}, {"a.b.c"}, {"a", "b", "c"}, {"ab", "c"}, {"a", "bc"}, {"abc"}, {"a.b", "c.d"}, {"a.b.c.d"}, {"*"}, {},
		} {
			var seen []scope.Set
			for range 2 {
				issued := h.issue(t, func(s *apikey.Spec) { s.Permissions = set(grants...) })
				seen = append(seen, h.opens(t, issued.Secret, issued.Key.ID).Key().Permissions)
				require.True(t, set(grants...).Equal(seen[len(seen)-1]), "%v", grants)
			}
			require.Equal(t, fmt.Sprintf("%#v", seen[0]), fmt.Sprintf("%#v", seen[1]), "the same one")
		}
	})
}

func TestStats(t *testing.T) {
	in(t, func(t *testing.T) {
		require.Equal(t, apikey.Stats{}, new(apikey.Manager).Stats())
		h := newHouse(t, func(c *apikey.Config) { c.CacheSize = 2 })
		require.Equal(t, apikey.Stats{}, h.Stats())
		a, b, c := h.issue(t), h.issue(t), h.issue(t)
		for range 3 {
			h.opens(t, a.Secret, a.Key.ID)
		}
		h.deniesText(t, "garbage", apikey.ErrInvalid)
		unknown := newHouse(t).issue(t).Secret
		for range 3 {
			h.denies(t, unknown, apikey.ErrInvalid)
		}
		require.NoError(t, h.Revoke(t.Context(), b.Key.ID, apikey.RevokeOptions{}))
		h.denies(t, b.Secret, apikey.ErrRevoked)
		h.denies(t, b.Secret, apikey.ErrRevoked)
		_, err := h.Update(t.Context(), c.Key.ID, 0, func(s *apikey.Spec) { s.Disabled, s.ExpiresAt = true, h.in(time.Second) })
		require.NoError(t, err)
		h.denies(t, c.Secret, apikey.ErrDisabled)
		_, err = h.Enable(t.Context(), c.Key.ID)
		require.NoError(t, err)
		h.clock.Advance(time.Second)
		h.denies(t, c.Secret, apikey.ErrExpired)
		_, err = h.VerifyCached(newHouse(t).issue(t).Secret.Reveal())
		require.ErrorIs(t, err, apikey.ErrNotCached)
		require.Equal(t, apikey.Stats{
			Hits: 3, UnknownHits: 2, Misses: 5, Loads: 5, Evictions: 1, Cached: 2,
			Denied: apikey.Denied{Invalid: 4, Revoked: 2, Disabled: 1, Expired: 1},
		}, h.Stats())
	})
}

// Nothing is left over after Close, whatever was under way.
func TestCloseLeavesNothingBehind(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t, watched)
		require.NoError(t, h.Watch(context.Background()))
		synctest.Wait()
		keys := []apikey.Issued{h.issue(t), h.issue(t)}
		h.opens(t, keys[0].Secret, keys[0].Key.ID)
		time.Sleep(ttl - time.Second)
		defer h.spy.Hold("Find")()
		h.opens(t, keys[0].Secret, keys[0].Key.ID) // and is refreshed
		var waits sync.WaitGroup
		waits.Go(func() { _, _ = h.Verify(context.Background(), keys[1].Secret.Reveal()) })
		synctest.Wait()
		require.Equal(t, 3, h.spy.Calls("Find"))
		start := time.Now()
		require.NoError(t, h.Close(t.Context()))
		require.Equal(t, 2*time.Second, time.Since(start), "a read may take that long")
		waits.Wait()
	})
}
