package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
)

const cacheTTL = 5 * time.Second

func cached(c *oauth.Config) { c.CacheTTL = cacheTTL }

// in runs a test in a bubble, where time passes at once and a goroutine that is
// left over is a failure. The clocks of the houses stand still in it, so that
// only the age of what is cached matters.
func in(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	rightHash() // made once, and not in a bubble
	synctest.Test(t, test)
}

func (h *house) opens(tokens ...string) {
	h.t.Helper()
	for _, token := range tokens {
		_, err := h.server.Verify(h.t.Context(), token)
		require.NoError(h.t, err)
	}
}

func (h *house) denies(want error, tokens ...string) {
	h.t.Helper()
	for _, token := range tokens {
		got, err := h.server.Verify(h.t.Context(), token)
		require.ErrorIs(h.t, err, want)
		require.Zero(h.t, got)
	}
}

func (h *house) lookups() int { return len(h.tap.since("Store.Lookup")) }

func TestVerifyReadsOnce(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t, cached)
		a := requireTokens(t, h.as("first", byLogin))
		_, err := h.server.VerifyCached(a.access())
		require.ErrorIs(t, err, oauth.ErrNotCached)
		token, err := h.server.Verify(t.Context(), a.access())
		require.NoError(t, err)
		require.Equal(t, user("u1"), token.Subject)
		for range 10 {
			for _, verify := range []func() (oauth.Token, error){
				func() (oauth.Token, error) { return h.server.Verify(t.Context(), a.access()) },
				func() (oauth.Token, error) { return h.server.VerifyCached(a.access()) },
			} {
				again, err := verify()
				require.NoError(t, err)
				require.Equal(t, token, again)
			}
		}
		require.Equal(t, 1, h.lookups())
		time.Sleep(cacheTTL)
		_, err = h.server.VerifyCached(a.access())
		require.ErrorIs(t, err, oauth.ErrNotCached)
		h.opens(a.access())
		require.Equal(t, 2, h.lookups())
	})
}

// What is kept without its prefix is given to nobody who presents it without one.
func TestCacheWantsTheWholeToken(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t, cached)
		access := requireTokens(t, h.as("first", byLogin)).access()
		h.opens(access)
		lead := strings.LastIndex(access, "_") + 1
		h.denies(oauth.ErrInvalid,
			access[lead:], access[1:], " "+access, access+" ", access[:lead-1], "x"+access[1:],
			strings.Replace(access, "_at_", "_rt_", 1), strings.ToUpper(access[:lead])+access[lead:])
		h.opens(access)
		require.Equal(t, 1, h.lookups())
	})
}

// Unless the host asks for it, nothing is kept: what others revoke is in effect
// at once, on every store.
func TestReq159_NothingIsCachedByDefault(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := requireTokens(t, h.as("first", byLogin))
	for range 3 {
		h.opens(a.access())
		_, err := h.server.VerifyCached(a.access())
		require.ErrorIs(t, err, oauth.ErrNotCached)
	}
	require.Equal(t, 3, h.lookups())
	_, err := h.memory.RevokeGrants(t.Context(), oauth.Filter{Subject: user("u1")}, h.clock.now())
	require.NoError(t, err)
	h.denies(oauth.ErrRevoked, a.access())
	require.NoError(t, h.server.Close(t.Context()))
}

// Whatever revokes a token here is in effect here when the call returns, and
// what belongs to others stays where it is.
func TestRevocationIsInEffectAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		revoke func(t *testing.T, h *house, a answer)
		want   error
	}{
		"RevokeSubject": {func(t *testing.T, h *house, _ answer) {
			n, err := h.server.RevokeSubject(t.Context(), "u1")
			require.NoError(t, err)
			require.Equal(t, 1, n)
		}, oauth.ErrRevoked},
		"RevokeApplication": {func(t *testing.T, h *house, _ answer) {
			_, err := h.server.RevokeApplication(t.Context(), "u1", "first")
			require.NoError(t, err)
		}, oauth.ErrRevoked},
		"the refresh token at the endpoint": {func(t *testing.T, h *house, a answer) {
			require.Equal(t, 200, h.revoke("first", "token="+a.refresh()).Code)
		}, oauth.ErrRevoked},
		"the access token at the endpoint": {func(t *testing.T, h *house, a answer) {
			require.Equal(t, 200, h.revoke("first", "token="+a.access()).Code)
		}, oauth.ErrInvalid},
		"the refresh token at another node's, and here": {func(t *testing.T, h *house, a answer) {
			h.there("first", "token="+a.refresh())
			require.Equal(t, 200, h.revoke("first", "token="+a.refresh()).Code)
		}, oauth.ErrRevoked},
		"the access token at another node's, and here": {func(t *testing.T, h *house, a answer) {
			h.there("first", "token="+a.access())
			require.Equal(t, 200, h.revoke("first", "token="+a.access()).Code)
		}, oauth.ErrInvalid},
		"a refresh token that comes again": {func(t *testing.T, h *house, a answer) {
			requireTokens(t, h.as("first", byToken+a.refresh()))
			h.clock.advance(time.Minute)
			requireError(t, h.as("first", byToken+a.refresh()), 400, "invalid_grant")
		}, oauth.ErrRevoked},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				h := newHouse(t, cached)
				h.people.put("ida", oauth.User{Subject: "u4", PasswordHash: rightHash()})
				a := requireTokens(t, h.as("first", byLogin))
				other := requireTokens(t, h.as("first", login("ida", right)))
				own := requireTokens(t, h.as("first", byClient))
				h.opens(a.access(), other.access(), own.access())
				c.revoke(t, h, a)
				h.denies(c.want, a.access())
				reads := h.lookups()
				h.opens(other.access(), own.access())
				require.Equal(t, reads, h.lookups(), "others stay cached")
				requireTokens(t, h.as("first", byLogin))
				h.opens(requireTokens(t, h.as("first", byLogin)).access())
			})
		})
	}
}

// there sends a revocation request to the other Server on the same store.
func (h *house) there(id, body string) {
	h.t.Helper()
	a := h.sendTo(h.direct.RevokeHandler(), h.request(id, body, nil), requireEmptyObject)
	require.Equal(h.t, http.StatusOK, a.Code)
}

// So is what Clients revoke that a Server was given.
func TestRevocationOfAClientIsInEffectAtOnce(t *testing.T) {
	for name, end := range map[string]func(context.Context, *oauth.Clients, string) error{
		"disabled": func(ctx context.Context, m *oauth.Clients, id string) error { return second(m.Disable(ctx, id)) },
		"deleted":  func(ctx context.Context, m *oauth.Clients, id string) error { return m.Delete(ctx, id) },
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				store := oauth.NewMemoryStore()
				clients, err := oauth.NewClients(oauth.NewMemoryClients(), store, oauth.ClientsConfig{})
				require.NoError(t, err)
				servers := make([]*oauth.Server, 2)
				for i := range servers {
					servers[i], err = oauth.New(store, clients, oauth.Config{Issuer: issuer, Prefix: "paym", CacheTTL: cacheTTL, RevokedBy: clients})
					require.NoError(t, err)
				}
				machine, err := clients.Create(t.Context(), machineSpec())
				require.NoError(t, err)
				token := issue(t, servers[0], basic(machine.Client.ID, machine.Secret.Reveal()))
				for _, server := range servers {
					_, err := server.Verify(t.Context(), token)
					require.NoError(t, err)
				}
				require.NoError(t, end(t.Context(), clients, machine.Client.ID))
				for _, server := range servers {
					_, err := server.Verify(t.Context(), token)
					require.ErrorIs(t, err, oauth.ErrRevoked)
				}
			})
		})
	}
}

// Without RevokedBy, and after Close, it is as if somebody else had revoked it.
func TestRevocationOfAClientIsHeardInTime(t *testing.T) {
	for name, deaf := range map[string]bool{"not told": true, "closed": false} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				store := oauth.NewMemoryStore()
				clients, err := oauth.NewClients(oauth.NewMemoryClients(), store, oauth.ClientsConfig{})
				require.NoError(t, err)
				cfg := oauth.Config{Issuer: issuer, Prefix: "paym", CacheTTL: cacheTTL, RevokedBy: clients}
				if deaf {
					cfg.RevokedBy = nil
				}
				server, err := oauth.New(store, clients, cfg)
				require.NoError(t, err)
				machine, err := clients.Create(t.Context(), machineSpec())
				require.NoError(t, err)
				token := issue(t, server, basic(machine.Client.ID, machine.Secret.Reveal()))
				_, err = server.Verify(t.Context(), token)
				require.NoError(t, err)
				require.NoError(t, server.Close(t.Context()))
				require.NoError(t, second(clients.Disable(t.Context(), machine.Client.ID)))
				_, err = server.Verify(t.Context(), token)
				require.NoError(t, err)
				time.Sleep(cacheTTL)
				_, err = server.Verify(t.Context(), token)
				require.ErrorIs(t, err, oauth.ErrRevoked)
			})
		})
	}
}

func TestCodeReuseIsInEffectAtOnce(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t, cached)
		code := h.code()
		a := requireTokens(t, h.as("first", byCode(code)))
		h.opens(a.access())
		requireError(t, h.as("first", byCode(code)), 400, "invalid_grant")
		h.denies(oauth.ErrRevoked, a.access())
	})
}

// A slowStore answers Lookup when it may, with what it read before.
type slowStore struct {
	oauth.Store

	mu   sync.Mutex
	gate chan struct{}
}

// hold makes Lookup wait with its answers until release is called.
func (s *slowStore) hold() (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	gate := make(chan struct{})
	s.gate = gate
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.gate = nil
		close(gate)
	}
}

func (s *slowStore) Lookup(ctx context.Context, hash oauth.Hash) (oauth.Credential, oauth.Grant, error) {
	c, g, err := s.Store.Lookup(ctx, hash)
	s.mu.Lock()
	gate := s.gate
	s.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return oauth.Credential{}, oauth.Grant{}, ctx.Err()
		}
	}
	return c, g, err
}

// on makes both Servers of a house again, the first on a store of the test's own.
func (h *house) on(store oauth.Store, change ...func(*oauth.Config)) {
	cfg := oauth.Config{
		Issuer: issuer, Prefix: "paym", Users: &h.people, Passwords: hasher{h.tap, cheap()}, LegacyPasswordGrant: true, Now: h.clock.now,
	}
	for _, c := range change {
		c(&cfg)
	}
	var err error
	h.server, err = oauth.New(store, &h.clients, cfg)
	require.NoError(h.t, err)
}

// Two Servers on one store: what one of them revokes is dead at the other after
// the TTL, counted from the start of the read, whether it is used meanwhile or not.
func TestReq159_RevokedByAnotherServer(t *testing.T) {
	for _, busy := range []bool{false, true} {
		t.Run(fmt.Sprint("busy ", busy), func(t *testing.T) {
			in(t, func(t *testing.T) {
				h := newHouse(t, cached)
				slow := &slowStore{Store: spy{h.memory, h.tap}}
				h.on(slow, cached)
				a := requireTokens(t, h.as("first", byLogin))
				release := slow.hold()
				var first sync.WaitGroup
				first.Go(func() { h.opens(a.access()) })
				synctest.Wait() // the answer is on its way
				_, err := h.direct.RevokeSubject(t.Context(), "u1")
				require.NoError(t, err)
				time.Sleep(time.Second)
				release()
				first.Wait()
				if busy {
					h.tap.do(fail("Store.Lookup")) // refreshes find nothing newer
				}
				for range 4 * 10 {
					if busy {
						h.opens(a.access())
					}
					time.Sleep(100 * time.Millisecond)
				}
				h.tap.do(nil)
				h.denies(oauth.ErrRevoked, a.access())
			})
		})
	}
}

// A read that began before a revocation is not believed, however it was revoked,
// nor is one that began while the store was being asked to.
func TestReadOvertakenByARevocation(t *testing.T) {
	for name, revoke := range map[string]func(t *testing.T, h *house, a answer){
		"RevokeSubject": func(t *testing.T, h *house, _ answer) {
			_, err := h.server.RevokeSubject(t.Context(), "u1")
			require.NoError(t, err)
		},
		"the access token": func(t *testing.T, h *house, a answer) {
			_, err := h.memory.Spend(t.Context(), oauth.Spend{Hash: hashOf(a.access()), ClientID: "first", At: h.clock.now(), Attempt: oauth.Attempt{1}})
			require.NoError(t, err)
			_, err = h.server.RevokeSubject(t.Context(), "u1")
			require.NoError(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				h := newHouse(t, cached)
				slow := &slowStore{Store: h.memory}
				h.on(slow, cached)
				a := requireTokens(t, h.as("first", byLogin))
				release := slow.hold()
				var reads sync.WaitGroup
				for range 3 {
					reads.Go(func() { h.denies(oauth.ErrRevoked, a.access()) })
				}
				synctest.Wait()
				revoke(t, h, a)
				release()
				reads.Wait()
				h.denies(oauth.ErrRevoked, a.access())
			})
		})
	}
}

// A revocation that may have been stored although the store did not say so is
// not hidden by what is cached.
func TestAnswerOfARevocationIsLost(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t, cached)
		lossy := lossyStore{h.memory}
		h.on(lossy, cached)
		a := requireTokens(t, h.as("first", byLogin))
		h.opens(a.access())
		_, err := h.server.RevokeSubject(t.Context(), "u1")
		require.ErrorIs(t, err, errBoom)
		h.denies(oauth.ErrRevoked, a.access())

		b := requireTokens(t, h.as("first", byLogin))
		h.opens(b.access())
		requireError(t, h.revoke("first", "token="+b.access()), 503, "temporarily_unavailable")
		h.denies(oauth.ErrInvalid, b.access())
	})
}

// A lossyStore does what it is asked to, and says that it did not.
type lossyStore struct{ oauth.Store }

func (s lossyStore) RevokeGrants(ctx context.Context, f oauth.Filter, at time.Time) (int, error) {
	return 0, errors.Join(errBoom, second(s.Store.RevokeGrants(ctx, f, at)))
}

func (s lossyStore) Spend(ctx context.Context, spend oauth.Spend, issue ...oauth.Credential) (oauth.Spent, error) {
	return oauth.Spent{}, errors.Join(errBoom, second(s.Store.Spend(ctx, spend, issue...)))
}

// No success that starts after the revocation returned.
func TestRevocationRacesVerify(t *testing.T) {
	t.Parallel()
	for round := range 20 {
		h := newHouse(t)
		h.on(spy{h.memory, h.tap}, cached)
		a := requireTokens(t, h.as("first", byLogin))
		var verifiers, begun sync.WaitGroup
		var late atomic.Int64
		revoked := make(chan struct{})
		for range 200 {
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
					if _, err := h.server.Verify(context.Background(), a.access()); err == nil && after {
						late.Add(1)
					}
				}
			})
		}
		begun.Wait()
		if round%2 == 0 {
			_, err := h.server.RevokeSubject(t.Context(), "u1")
			require.NoError(t, err)
		} else {
			require.Equal(t, 200, h.revoke("first", "token="+a.access()).Code)
		}
		close(revoked)
		verifiers.Wait()
		require.Zero(t, late.Load())
		require.NoError(t, h.server.Close(t.Context()))
	}
}

// What depends on the time is judged on every call, by the Server's clock, and
// ages are not: they are monotonic.
func TestReq200_TimeIsJudgedOnEveryCall(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t, cached)
		a := requireTokens(t, h.as("first", byLogin))
		h.opens(a.access())
		h.clock.advance(15*time.Minute - time.Microsecond)
		h.opens(a.access())
		h.clock.advance(time.Microsecond)
		h.denies(oauth.ErrExpired, a.access())
		h.clock.advance(-24 * time.Hour)
		h.opens(a.access())
		require.Equal(t, 1, h.lookups())
		time.Sleep(cacheTTL)
		h.opens(a.access())
		require.Equal(t, 2, h.lookups())

		// Tokens end with their grant, however long they are said to last.
		token := h.planted(shaped(t).access(), user("u1"), oauth.KindAccess, 24*time.Hour)
		h.opens(token)
		h.clock.advance(time.Hour)
		h.denies(oauth.ErrExpired, token)
	})
}

// Without a clock of its own, the Server asks the real one.
func TestRealTime(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t, realClock, func(c *oauth.Config) { c.CacheTTL, c.AccessLifetime = time.Minute, time.Second })
		a := requireTokens(t, h.as("first", byLogin))
		h.opens(a.access())
		time.Sleep(time.Second - time.Microsecond)
		h.opens(a.access())
		time.Sleep(time.Microsecond)
		h.denies(oauth.ErrExpired, a.access())
		require.Equal(t, 1, h.lookups())
	})
}

// The store is down. What is cached lives to its time; nothing is allowed or
// denied that is not known, and none of that is remembered.
func TestReq182_StoreDown(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t, cached)
		a, unknown := requireTokens(t, h.as("first", byLogin)), requireTokens(t, h.as("first", byLogin))
		h.opens(a.access())
		h.tap.do(fail("Store.Lookup"))
		for range 50 {
			h.opens(a.access())
			h.denies(errBoom, unknown.access())
			time.Sleep(cacheTTL / 50)
		}
		for _, token := range []string{a.access(), unknown.access()} {
			h.denies(errBoom, token)
			_, err := h.server.Verify(t.Context(), token)
			for _, denial := range []error{oauth.ErrInvalid, oauth.ErrRevoked, oauth.ErrExpired, oauth.ErrNotFound} {
				require.NotErrorIs(t, err, denial)
			}
		}
		h.tap.do(nil)
		h.opens(a.access(), unknown.access())
	})
}

// A replica answers Lookup with what it was told once.
type replica struct {
	oauth.Store

	mu  sync.Mutex
	old map[oauth.Hash]func() (oauth.Credential, oauth.Grant)
}

// lag makes it go on with what there is at present.
func (r *replica) lag(t testing.TB, tokens ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.old = map[oauth.Hash]func() (oauth.Credential, oauth.Grant){}
	for _, token := range tokens {
		c, g, err := r.Store.Lookup(t.Context(), hashOf(token))
		require.NoError(t, err)
		r.old[hashOf(token)] = func() (oauth.Credential, oauth.Grant) { return c, g }
	}
}

func (r *replica) Lookup(ctx context.Context, hash oauth.Hash) (oauth.Credential, oauth.Grant, error) {
	r.mu.Lock()
	old := r.old[hash]
	r.mu.Unlock()
	if old != nil {
		c, g := old()
		return c, g, nil
	}
	return r.Store.Lookup(ctx, hash)
}

// A store that lags cannot revive what was revoked here, for ten seconds. What
// was granted later is none of that.
func TestStoreLags(t *testing.T) {
	for name, c := range map[string]struct {
		revoke func(ctx context.Context, h *house, a answer) error
		want   error
	}{
		"RevokeSubject": {func(ctx context.Context, h *house, _ answer) error {
			return second(h.server.RevokeSubject(ctx, "u1"))
		}, oauth.ErrRevoked},
		"RevokeApplication": {func(ctx context.Context, h *house, _ answer) error {
			return second(h.server.RevokeApplication(ctx, "u1", "first"))
		}, oauth.ErrRevoked},
		"a code that comes again": {func(_ context.Context, h *house, a answer) error {
			h.clock.advance(-time.Minute) // clocks do not matter for a single grant
			defer h.clock.advance(time.Minute)
			requireError(h.t, h.as("first", byCode(a.text("code"))), 400, "invalid_grant")
			return nil
		}, oauth.ErrRevoked},
		"the access token": {func(ctx context.Context, h *house, a answer) error {
			// The endpoint looks the token up as well.
			require.Equal(h.t, 200, h.revoke("first", "token="+a.access()).Code)
			return nil
		}, oauth.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				h := newHouse(t)
				lagging := &replica{Store: h.memory}
				h.on(lagging, cached)
				code := h.code()
				a := requireTokens(t, h.as("first", byCode(code)))
				a.members["code"] = code
				h.opens(a.access())
				h.clock.advance(time.Second)
				lagging.lag(t, a.access())
				require.NoError(t, c.revoke(t.Context(), h, a))
				h.clock.advance(time.Second)
				later := requireTokens(t, h.as("first", byLogin))
				for range 20 {
					_, err := h.server.Verify(t.Context(), a.access())
					require.ErrorContains(t, err, "older")
					h.opens(later.access())
					time.Sleep(2*cacheTTL/20 - time.Nanosecond)
				}
				lagging.lag(t)
				h.denies(c.want, a.access())
			})
		})
	}
}

// With whatever TTL, a clock that was set back, or is behind that of the host
// where everything was revoked, makes trouble for ten seconds at most. What was
// revoked is not among what is let in meanwhile.
func TestClocksThatDiffer(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		lagging := &replica{Store: h.memory}
		h.on(lagging, func(c *oauth.Config) { c.CacheTTL = 24 * time.Hour })
		a := requireTokens(t, h.as("first", byLogin))
		h.opens(a.access())
		lagging.lag(t, a.access())
		h.clock.advance(time.Second)
		require.NoError(t, second(h.server.RevokeSubject(t.Context(), "u1")))
		h.clock.advance(-time.Millisecond)
		later := requireTokens(t, h.as("first", byLogin))
		for range 2 {
			for _, token := range []string{a.access(), later.access()} {
				_, err := h.server.Verify(t.Context(), token)
				require.ErrorContains(t, err, "older")
			}
			time.Sleep(5*time.Second - time.Nanosecond)
		}
		lagging.lag(t)
		h.denies(oauth.ErrRevoked, a.access())
		time.Sleep(2 * time.Nanosecond)
		h.opens(later.access())
		h.denies(oauth.ErrRevoked, a.access())
	})
}

// A client that was disabled here stays so, too.
func TestStoreLagsBehindAClient(t *testing.T) {
	in(t, func(t *testing.T) {
		clock := newClock()
		lagging := &replica{Store: oauth.NewMemoryStore()}
		clients, err := oauth.NewClients(oauth.NewMemoryClients(), lagging, oauth.ClientsConfig{Now: clock.now})
		require.NoError(t, err)
		server, err := oauth.New(lagging, clients, oauth.Config{Issuer: issuer, Prefix: "paym", CacheTTL: cacheTTL, RevokedBy: clients, Now: clock.now})
		require.NoError(t, err)
		machine, err := clients.Create(t.Context(), machineSpec())
		require.NoError(t, err)
		client := basic(machine.Client.ID, machine.Secret.Reveal())
		token := issue(t, server, client)
		lagging.lag(t, token)
		clock.advance(time.Second)
		require.NoError(t, second(clients.Disable(t.Context(), machine.Client.ID)))
		_, err = server.Verify(t.Context(), token)
		require.ErrorContains(t, err, "older")

		clock.advance(time.Second)
		require.NoError(t, second(clients.Enable(t.Context(), machine.Client.ID)))
		_, err = server.Verify(t.Context(), issue(t, server, client))
		require.NoError(t, err)
	})
}

// An unknown token is looked for once a second, and what cannot be one never.
func TestUnknownTokens(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t, cached)
		unknown := shaped(t).access()
		for range 10 {
			h.denies(oauth.ErrInvalid, unknown)
		}
		_, err := h.server.VerifyCached(unknown)
		require.ErrorIs(t, err, oauth.ErrInvalid)
		require.Equal(t, 1, h.lookups())
		time.Sleep(time.Second)
		h.denies(oauth.ErrInvalid, unknown)
		require.Equal(t, 2, h.lookups())
		for _, garbage := range []string{"", "x", unknown + "0", unknown[:len(unknown)-1] + "~"} {
			h.denies(oauth.ErrInvalid, garbage)
			_, err := h.server.VerifyCached(garbage)
			require.ErrorIs(t, err, oauth.ErrInvalid)
		}
		require.Equal(t, 2, h.lookups())
	})
}

// One read serves all who wait for it; past the limit there is no waiting.
func TestReadsAreSharedAndBounded(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t)
		slow := &slowStore{Store: spy{h.memory, h.tap}}
		h.on(slow, cached, func(c *oauth.Config) { c.MaxLoads = 2 })
		tokens := []string{}
		for range 3 {
			tokens = append(tokens, requireTokens(t, h.as("first", byLogin)).access())
		}
		release := slow.hold()
		var waiting sync.WaitGroup
		for range 100 {
			waiting.Go(func() { h.opens(tokens[0]) })
			waiting.Go(func() { h.opens(tokens[1]) })
		}
		synctest.Wait()
		h.denies(oauth.ErrBusy, tokens[2])
		release()
		waiting.Wait()
		require.Equal(t, 2, h.lookups())

		// A store that hangs is waited for two seconds.
		release = slow.hold()
		start := time.Now()
		h.denies(context.DeadlineExceeded, tokens[2])
		require.Equal(t, 2*time.Second, time.Since(start))
		release()
		h.opens(tokens[2])
	})
}

// Tokens in use are read again before they are too old, and Close ends that.
func TestTokensInUseAreReadAgain(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t, cached)
		a := requireTokens(t, h.as("first", byLogin))
		h.opens(a.access())
		for range 60 * 10 {
			_, err := h.server.VerifyCached(a.access())
			require.NoError(t, err)
			time.Sleep(100 * time.Millisecond)
		}
		require.Less(t, h.lookups(), 60/2)
		require.NoError(t, h.server.Close(t.Context()))
		require.NoError(t, h.server.Close(t.Context()), "again")
		time.Sleep(cacheTTL)
		h.opens(a.access())
	})
}

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	h := newHouse(t, cached, func(c *oauth.Config) { c.CacheSize = 10 })
	tokens := []string{}
	for range 100 {
		tokens = append(tokens, requireTokens(t, h.as("first", byClient)).access())
	}
	h.opens(tokens...)
	known := 0
	for _, token := range tokens {
		if _, err := h.server.VerifyCached(token); err == nil {
			known++
		}
	}
	require.Positive(t, known)
	require.LessOrEqual(t, known, 10)
}

func TestVerifyCachedDoesNotAllocate(t *testing.T) {
	server, client := bare(t, cached)
	token, ctx := issue(t, server, client), context.Background()
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		if verified, err := server.Verify(ctx, token); err != nil || !verified.Scope.Allows("profile") {
			t.Fatal(err)
		}
		if _, err := server.VerifyCached(token); err != nil {
			t.Fatal(err)
		}
	}))
}
