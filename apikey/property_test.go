package apikey_test

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/ipfilter"
)

// A thief has got hold of one key that may manage keys, and uses every secret
// that this brings in to get more.
type thief struct {
	*house

	rng    *rand.Rand
	limit  apikey.Key      // what the first key was
	loot   []apikey.Secret // everything that was ever handed out
	beyond []apikey.Record // keys that are out of reach, as they were
	done   map[string]int  // what succeeded
}

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

func (th *thief) grants() []string {
	var grants []string
	for range th.rng.IntN(4) {
		grants = append(grants, pick(th.rng, "users.view", "users.*", "users.delete", "users.view.own", "orders.view", "orders.*", "*", "*.view",
			"api_keys.*", "api_keys.create", "*.*", "invoices.view"))
	}
	return grants
}

// anything changes a field or two of a spec at random, mostly near the limit.
func (th *thief) anything(s *apikey.Spec) {
	for range 1 + th.rng.IntN(2) {
		switch th.rng.IntN(7) {
		case 0:
			s.Name = fmt.Sprint("name ", th.rng.IntN(1000))
		case 1, 2:
			s.Permissions = set(th.grants()...)
		case 3:
			s.Type = pick(th.rng, "admin", "reseller")
		case 4:
			s.ExpiresAt = pick(th.rng, time.Time{}, th.limit.ExpiresAt, th.limit.ExpiresAt.Add(time.Microsecond), th.in(time.Hour), th.in(time.Minute))
		case 5:
			s.AllowedIPs = pick(th.rng, nil, list("192.0.2.0/24"), list("192.0.2.7"), list("192.0.2.0/23"), list("198.51.100.1"), new(ipfilter.List))
		case 6:
			s.Disabled = !s.Disabled
			s.Owner = pick(th.rng, s.Owner, s.Owner, "", "account 7", "account 8")
		}
	}
}

// near is a spec within the limit, and then anything.
func (th *thief) near() apikey.Spec {
	return spec(func(s *apikey.Spec) {
		s.ExpiresAt, s.AllowedIPs, s.Owner = th.limit.ExpiresAt, th.limit.AllowedIPs, th.limit.Owner
	}, th.anything)
}

// exceedsLimit compares field by field and on its own what a Ceiling compares.
func (th *thief) exceedsLimit(k apikey.Key) string {
	for _, asked := range []string{
		"users", "users.view", "users.delete", "users.view.own", "orders.view", "orders.delete", "invoices.view", "api_keys.create",
		"api_keys.delete", "anything", "a.b.c.d",
	} {
		if k.Permissions.Allows(asked) && !th.limit.Permissions.Allows(asked) {
			return "permission " + asked
		}
	}
	switch {
	case k.Type != th.limit.Type:
		return "type"
	case !th.limit.ExpiresAt.IsZero() && (k.ExpiresAt.IsZero() || k.ExpiresAt.After(th.limit.ExpiresAt)):
		return "expiry"
	case th.limit.AllowedIPs != nil && (k.AllowedIPs == nil || !th.limit.AllowedIPs.Covers(*k.AllowedIPs)):
		return "addresses"
	case th.limit.Owner != "" && k.Owner != th.limit.Owner:
		return "owner"
	default:
		return ""
	}
}

// operate does what an operator does who notices nothing: it puts the first key
// in order again, and makes another one.
func (th *thief) operate(t *testing.T) {
	t.Helper()
	_, err := th.Update(t.Context(), th.limit.ID, 0, func(s *apikey.Spec) {
		s.Name, s.Type, s.Permissions, s.AllowedIPs = th.limit.Name, th.limit.Type, th.limit.Permissions, th.limit.AllowedIPs
		s.ExpiresAt, s.Disabled = th.limit.ExpiresAt, false
	})
	require.NoError(t, err)
	s := th.near()
	issued, err := th.Create(t.Context(), s)
	if err != nil {
		return
	}
	if th.exceedsLimit(issued.Key) != "" {
		th.beyond = append(th.beyond, th.record(t, issued.Key.ID))
	}
}

// somebody returns a key of the loot as an actor, if one is soon found that is
// still of use.
func (th *thief) somebody(t *testing.T) (apikey.Actor, bool) {
	t.Helper()
	for range 50 {
		v, err := th.Verify(t.Context(), pick(th.rng, th.loot...).Reveal())
		if err != nil {
			continue
		}
		// Others may be faster than that.
		if a, err := th.ActorOf(t.Context(), v.Key().ID); err == nil {
			return a, true
		}
	}
	return apikey.Actor{}, false
}

// steal does something as one of the keys in the loot.
func (th *thief) steal(t *testing.T) {
	t.Helper()
	a, ok := th.somebody(t)
	if !ok {
		return
	}
	d := th.As(a)
	keys, err := th.List(t.Context(), apikey.Query{Limit: 1000})
	require.NoError(t, err)
	id := pick(th.rng, keys.Keys...).ID
	version := pick(th.rng, 0, 0, 0, int64(th.rng.IntN(4)))
	switch op := pick(th.rng, "create", "create", "import", "update", "update", "update", "enable", "disable", "rotate", "rotate", "revoke"); op {
	case "create":
		issued, err := d.Create(t.Context(), th.near())
		th.took(op, err, issued.Secret)
	case "import":
		secret, sum := foreign(fmt.Sprint(th.rng.Uint64()))
		if th.rng.IntN(3) == 0 {
			secret = pick(th.rng, th.loot...)
			sum = sha256.Sum256([]byte(secret.Reveal()))
		}
		_, err := d.Import(t.Context(), th.near(), sum)
		th.took(op, err, secret)
	case "update":
		_, err := d.Update(t.Context(), id, version, th.anything)
		th.took(op, err)
	case "enable":
		_, err := d.Enable(t.Context(), id)
		th.took(op, err)
	case "disable":
		_, err := d.Disable(t.Context(), id)
		th.took(op, err)
	case "rotate":
		issued, err := d.Rotate(t.Context(), id, version, pick(th.rng, 0, time.Minute, time.Hour))
		th.took(op, err, issued.Secret)
	case "revoke":
		if id != th.limit.ID && th.rng.IntN(3) == 0 {
			th.took(op, d.Revoke(t.Context(), id, apikey.RevokeOptions{Descendants: th.rng.IntN(2) == 0}))
		}
	}
}

func (th *thief) took(op string, err error, secrets ...apikey.Secret) {
	if err == nil {
		th.loot = append(th.loot, secrets...)
		th.done[op]++
	}
}

// check holds everything that the loot opens against the limit, and looks after
// what is out of reach.
func (th *thief) check(t *testing.T) {
	t.Helper()
	for _, secret := range th.loot {
		v, err := th.Verify(t.Context(), secret.Reveal())
		if err == nil {
			require.Empty(t, th.exceedsLimit(v.Key()), "%+v", v.Key())
		}
	}
	for _, r := range th.beyond {
		require.Equal(t, r, th.record(t, r.Key.ID))
	}
}

// TestNobodyGetsMoreThanTheyHad plays thousands of games against the ceiling.
func TestNobodyGetsMoreThanTheyHad(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			th := &thief{house: newHouse(t), rng: rand.New(rand.NewPCG(seed, 7)), done: map[string]int{}}
			first := th.issue(t, func(s *apikey.Spec) {
				s.Permissions = set("api_keys.*", "users.*", "orders.view")
				s.ExpiresAt = th.in(50 * time.Hour)
				if seed%2 == 0 {
					s.Owner = "account 7"
				}
				if seed%3 == 0 {
					s.AllowedIPs = list("192.0.2.0/24")
				}
			})
			th.limit, th.loot = first.Key, []apikey.Secret{first.Secret}
			for i := range 1500 {
				if i%10 == 0 {
					th.operate(t)
				}
				th.steal(t)
				if i%50 == 0 {
					th.clock.Advance(time.Hour)
					th.check(t)
				}
			}
			th.check(t)
			require.NotEmpty(t, th.beyond)
			for _, op := range []string{"create", "import", "update", "disable", "enable", "rotate"} {
				require.Greater(t, th.done[op], 3, "the game was a real one: %v", th.done)
			}
		})
	}
}

// Several thieves share their loot and act at once, while the operator takes
// rights from their first key and gives them back, and revokes it in the end
// with all that it created.
func TestNobodyGetsMoreAtOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		h := newHouse(t)
		first := h.issue(t, func(s *apikey.Spec) {
			s.Permissions, s.ExpiresAt = set("api_keys.*", "users.*", "orders.view"), h.in(50*time.Hour)
			if seed%2 == 0 {
				s.Owner, s.AllowedIPs = "account 7", list("192.0.2.0/24")
			}
		})
		other := h.issue(t, func(s *apikey.Spec) { s.Permissions = set("invoices.*") })
		beyond := h.record(t, other.Key.ID)

		var mu sync.Mutex
		loot := []apikey.Secret{first.Secret}
		steal := func(th *thief) {
			mu.Lock()
			th.loot = slices.Clone(loot)
			mu.Unlock()
			known := len(th.loot)
			th.steal(t)
			mu.Lock()
			loot = append(loot, th.loot[known:]...)
			mu.Unlock()
		}
		var all sync.WaitGroup
		var over atomic.Bool
		for i := range uint64(4) {
			all.Go(func() {
				th := &thief{house: h, rng: rand.New(rand.NewPCG(seed, i)), limit: first.Key, done: map[string]int{}}
				for i := 0; i < 150 || !over.Load(); i++ {
					steal(th)
				}
			})
		}
		all.Go(func() {
			enough := func() bool { // a busy machine may take longer to steal something
				mu.Lock()
				defer mu.Unlock()
				return len(loot) > 5
			}
			for i := 0; i < 60 || (i < 5000 && !enough()); i++ {
				_, err := h.Update(t.Context(), first.Key.ID, 0, func(s *apikey.Spec) {
					*s = first.Key.Spec()
					if i%3 == 0 {
						s.Permissions = set("users.view")
					}
				})
				require.NoError(t, err)
				time.Sleep(time.Millisecond)
			}
			over.Store(true)
			require.NoError(t, h.Revoke(t.Context(), first.Key.ID, descendants))
		})
		all.Wait()

		th := &thief{house: h, limit: first.Key, loot: loot, beyond: []apikey.Record{beyond}}
		th.check(t)
		require.Greater(t, len(loot), 5, "the game was a real one")
		for _, secret := range loot {
			_, err := h.Verify(t.Context(), secret.Reveal())
			require.Error(t, err, "all of it descends from the first key, which is revoked")
		}
	}
}
