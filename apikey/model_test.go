package apikey_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
)

// A chronicle is what a naive Manager would know: every version of every key
// there ever was. It judges what the two nodes of a game answer.
type chronicle struct {
	mu       sync.Mutex
	versions map[string][]apikey.Record // by key; version 1 is the first
	owner    map[string]string          // key by secret
}

func (c *chronicle) wrote(r apikey.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if int(r.Key.Version) != len(c.versions[r.Key.ID])+1 {
		panic("a version was left out")
	}
	c.versions[r.Key.ID] = append(c.versions[r.Key.ID], r.Clone())
}

// judge says what Verify has to answer if this version of a key is the one that
// counts; version 0 is that there is none.
func (c *chronicle) judge(secret string, version int64, now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if version == 0 {
		return apikey.ErrInvalid
	}
	r := c.versions[c.owner[secret]][version-1]
	i := slices.IndexFunc(r.Secrets, func(s apikey.SecretHash) bool { return s.Hash == stored(apikey.NewSecret(secret), "").Hash })
	switch {
	case i < 0, !r.Secrets[i].Deadline.IsZero() && !now.Before(r.Secrets[i].Deadline):
		return apikey.ErrInvalid
	case !r.Key.RevokedAt.IsZero():
		return apikey.ErrRevoked
	case !r.Key.Enabled:
		return apikey.ErrDisabled
	case !r.Key.ExpiresAt.IsZero() && !now.Before(r.Key.ExpiresAt):
		return apikey.ErrExpired
	default:
		return nil
	}
}

// A reading is one answer of the store to a node.
type reading struct {
	began   time.Time
	hash    apikey.Hash
	version int64 // 0: there was nothing
}

// A node is a Manager whose store is slow and sometimes in the past, and whose
// feed is not to be trusted.
type node struct {
	*apikey.Manager

	apikey.Store // what there really is

	feed   apikey.Feed
	past   *chronicle
	faulty bool // the feed is

	mu      sync.Mutex
	rng     *rand.Rand
	behind  bool // the store answers with old versions
	slow    bool
	trouble time.Time // when it was one of these the last time
	read    []reading
	written map[string]written // by key
	late    []apikey.Change    // changes that the feed holds back
}

type written struct {
	version int64
	at      time.Time
}

// roll returns a number below n. A node's numbers are used by several goroutines.
func (n *node) roll(below int) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.rng.IntN(below)
}

func (n *node) Create(ctx context.Context, r apikey.Record, e apikey.Event) error {
	err := n.Store.Create(ctx, r, e)
	if err == nil {
		n.past.wrote(r)
	}
	return err
}

func (n *node) Update(ctx context.Context, r apikey.Record, e apikey.Event) error {
	err := n.Store.Update(ctx, r, e)
	if err == nil {
		n.past.wrote(r)
	}
	return err
}

func (n *node) pause() {
	n.mu.Lock()
	d := time.Duration(0)
	if n.slow {
		d = time.Duration(n.rng.IntN(700)) * time.Millisecond
	}
	n.mu.Unlock()
	time.Sleep(d)
}

func (n *node) Find(ctx context.Context, hashes []apikey.Hash) (apikey.Record, error) {
	began := time.Now()
	n.pause()
	r, err := n.Store.Find(ctx, hashes)
	n.mu.Lock()
	behind := n.behind
	n.mu.Unlock()
	if behind && err == nil {
		n.past.mu.Lock()
		versions := n.past.versions[r.Key.ID]
		old := versions[max(0, len(versions)-1-n.roll(3))]
		n.past.mu.Unlock()
		if slices.ContainsFunc(old.Secrets, func(s apikey.SecretHash) bool { return s.Hash == hashes[0] }) {
			r = old.Clone()
		}
	}
	n.mu.Lock()
	n.read = append(n.read, reading{began, hashes[0], r.Key.Version})
	n.mu.Unlock()
	n.pause() // the answer is under way
	return r, err
}

// Changes implements apikey.Feed, badly if the node is a faulty one.
func (n *node) Changes(ctx context.Context, after apikey.Cursor) ([]apikey.Change, apikey.Cursor, error) {
	changes, next, err := n.feed.Changes(ctx, after)
	if err != nil || !n.faulty {
		return changes, next, err
	}
	switch n.roll(12) {
	case 0:
		return nil, "", apikey.ErrCursor
	case 1:
		return nil, "", errors.New("boom")
	case 2: // the changes are lost
		return nil, next, nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	var told []apikey.Change
	for _, c := range append(n.late, changes...) {
		if n.rng.IntN(2) == 0 {
			told = append(told, c)
			if n.rng.IntN(3) == 0 {
				told = append(told, apikey.Change{KeyID: c.KeyID, Version: c.Version + n.rng.Int64N(5) - 2})
			}
		}
	}
	n.late = slices.DeleteFunc(slices.Concat(n.late, changes), func(c apikey.Change) bool { return slices.Contains(told, c) && n.rng.IntN(4) > 0 })
	n.rng.Shuffle(len(told), func(i, j int) { told[i], told[j] = told[j], told[i] })
	return told, next, nil
}

// did notes what a change made here has come to.
func (n *node) did(id string, version int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if version >= n.written[id].version {
		n.written[id] = written{version, time.Now()}
	}
}

// A game has two nodes, keys, and somebody who plays with them.
type game struct {
	chronicle

	t       *testing.T
	rng     *rand.Rand
	nodes   [2]*node
	secrets []string
	ids     []string
	seen    sync.Map // what happened, to tell a real game from a dull one
}

func newGame(t *testing.T, seed uint64) *game {
	g := &game{t: t, rng: rand.New(rand.NewPCG(seed, 1))}
	g.versions, g.owner = map[string][]apikey.Record{}, map[string]string{}
	store := apikey.NewMemoryStore()
	for i := range g.nodes {
		n := &node{Store: store, feed: store, past: &g.chronicle, faulty: seed%3 != 0, rng: rand.New(rand.NewPCG(seed, uint64(i+2))), written: map[string]written{}}
		cfg := apikey.Config{Prefix: "paym", CacheSize: 4 + int(seed)*3}
		if seed%4 != 3 {
			cfg.Feed = n
		}
		m, err := apikey.New(n, cfg)
		require.NoError(t, err)
		n.Manager = m
		if cfg.Feed != nil {
			require.NoError(t, m.Watch(context.Background()))
		}
		g.nodes[i] = n
	}
	return g
}

func (g *game) saw(what string) {
	count, _ := g.seen.LoadOrStore(what, new(int))
	g.mu.Lock()
	defer g.mu.Unlock()
	*count.(*int)++
}

// verify presents a secret to a node, and holds the answer against the chronicle:
// it has to follow from something that the store said to this node less than the
// TTL before the call, and from nothing older than what was written there before.
func (g *game) verify(n *node, secret string, done *sync.WaitGroup) {
	g.mu.Lock()
	start, id := time.Now(), g.owner[secret]
	g.mu.Unlock()
	n.mu.Lock()
	mine := n.written[id]
	n.mu.Unlock()
	hash := stored(apikey.NewSecret(secret), "").Hash
	done.Go(func() {
		v, err := n.Verify(context.Background(), secret)
		n.mu.Lock()
		readings, behind := slices.Clone(n.read), n.behind
		n.mu.Unlock()
		if err != nil && !slices.ContainsFunc([]error{apikey.ErrInvalid, apikey.ErrRevoked, apikey.ErrDisabled, apikey.ErrExpired}, func(d error) bool { return errors.Is(err, d) }) {
			g.saw("unknown")
			// A refresh that began before may be what was waited for.
			if !behind && !n.slow && time.Since(n.trouble) > 2*time.Second {
				g.t.Errorf("%v without a reason", err)
			}
			return
		}
		g.mu.Lock()
		newest := int64(len(g.versions[id]))
		g.mu.Unlock()
		for _, r := range readings {
			switch {
			case r.hash != hash || !r.began.After(start.Add(-ttl)):
				continue
			case err == nil && v.Key().Version != r.version:
				continue
			case r.version != 0 && r.version < mine.version && time.Since(mine.at) < 2*ttl:
				continue // a lagging store does not count
			}
			if want := g.judge(secret, r.version, time.Now()); errors.Is(err, want) || (err == nil && want == nil) {
				g.saw("answered")
				if err == nil && v.Key().Version < newest {
					g.saw("stale")
				}
				return
			}
		}
		g.t.Errorf("at %v: %v, version %d, does not follow from anything the store said; written here: %v", time.Now(), err, v.Key().Version, mine)
	})
}

// change does something to a key.
func (g *game) change(n *node) {
	id := g.ids[g.rng.IntN(len(g.ids))]
	ctx := g.t.Context()
	var k apikey.Key
	var err error
	switch g.rng.IntN(8) {
	case 0, 1:
		k, err = n.As(actor()).Enable(ctx, id)
	case 2:
		k, err = n.Disable(ctx, id)
	case 3, 4:
		grant := fmt.Sprint("users.view", g.rng.IntN(5))
		k, err = n.Manager.Update(ctx, id, 0, func(s *apikey.Spec) { s.Permissions = set(grant) })
	case 5:
		var issued apikey.Issued
		issued, err = n.Rotate(ctx, id, 0, time.Duration(g.rng.IntN(2))*3*time.Second)
		if k = issued.Key; err == nil {
			g.learn(issued)
		}
	case 6:
		if g.rng.IntN(4) > 0 {
			return
		}
		err = n.Revoke(ctx, id, apikey.RevokeOptions{})
		if err == nil {
			k, err = n.Manager.Get(ctx, id)
			g.saw("revoked")
		}
	case 7:
		at := time.Now().Add(time.Duration(g.rng.IntN(20)) * time.Second)
		k, err = n.Manager.Update(ctx, id, 0, func(s *apikey.Spec) { s.ExpiresAt = at })
	}
	if err != nil {
		require.True(g.t, errors.Is(err, apikey.ErrRevoked) || errors.Is(err, apikey.ErrExpired) || len(faultsOf(err)) > 0, "%v", err)
		return
	}
	n.did(id, k.Version)
}

func faultsOf(err error) []apikey.FieldError {
	var spec *apikey.SpecError
	if errors.As(err, &spec) {
		return spec.Fields
	}
	return nil
}

func (g *game) create(n *node) {
	issued, err := n.Manager.Create(g.t.Context(), spec())
	require.NoError(g.t, err)
	g.ids = append(g.ids, issued.Key.ID)
	g.learn(issued)
	n.did(issued.Key.ID, 1)
}

func (g *game) learn(issued apikey.Issued) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.secrets = append(g.secrets, issued.Secret.Reveal())
	g.owner[issued.Secret.Reveal()] = issued.Key.ID
}

// TestTwoNodesAgainstTheChronicle plays with two nodes on one store whose answers
// are slow and now and then old, and whose feeds fail, lag, lie and forget.
func TestTwoNodesAgainstTheChronicle(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			in(t, func(t *testing.T) {
				g := newGame(t, seed)
				var verifiers sync.WaitGroup
				for i := range 3000 {
					n := g.nodes[g.rng.IntN(2)]
					switch op := g.rng.IntN(40); {
					case i < 3 || op == 0:
						g.create(n)
					case op < 4:
						g.change(n)
					case op < 8:
						time.Sleep(time.Duration(g.rng.IntN(1500)) * time.Millisecond)
					case op < 9:
						verifiers.Wait()
						n.mu.Lock()
						if n.slow || n.behind {
							n.trouble = time.Now()
						}
						n.slow, n.behind = g.rng.IntN(2) == 0, g.rng.IntN(3) == 0
						n.mu.Unlock()
					default:
						secret := g.secrets[len(g.secrets)-1-g.rng.IntN(min(8, len(g.secrets)))]
						g.verify(n, secret, &verifiers)
					}
				}
				verifiers.Wait()
				for _, n := range g.nodes {
					require.NoError(t, n.Close(t.Context()))
				}
				synctest.Wait()
				for _, what := range []string{"answered", "stale", "revoked", "unknown"} {
					count, ok := g.seen.Load(what)
					require.True(t, ok, "the game was a real one: %s", what)
					t.Logf("%s: %d", what, *count.(*int))
				}
				hits := g.nodes[0].Stats().Hits + g.nodes[1].Stats().Hits
				require.Greater(t, hits, uint64(300), "the game was a real one")
			})
		})
	}
}
