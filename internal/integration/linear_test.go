package integration

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/scope"
)

const (
	// bound is how long a node may go on with what it has read.
	bound = 100 * time.Millisecond

	linearNodes   = 3
	linearClients = 8
	linearSlots   = 12
)

// An act is what a client did with a key, or with a token.
type act struct {
	subject string // the key, or the hash of the token
	kind    string
	node    int
	secret  int // which secret of the key it was; of a rotation, which one it made
	attempt oauth.Attempt
}

// An outcome is what came of it.
type outcome struct {
	err   error // one of the package's, or nil
	spent oauth.Spent
}

// A history collects operations.
type history struct {
	began    time.Time
	failures atomic.Int64 // operations that the database did not answer in time

	mu  sync.Mutex
	ops []porcupine.Operation
}

func (h *history) now() int64 { return int64(time.Since(h.began)) }

// add notes an operation. What failed may have been done all the same, at once
// or at any time later.
func (h *history) add(client int, a act, call, end int64, o outcome) {
	if errors.Is(o.err, errUnknown) {
		h.failures.Add(1)
		end = math.MaxInt64
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: a, Call: call, Output: o, Return: end})
}

// errUnknown is the outcome of a change that failed for a reason that is none of
// the package's.
var errUnknown = errors.New("perhaps done")

// known returns an error if the package has answered with it, and otherwise
// errUnknown.
func known(err error, answers ...error) error {
	if err == nil || slices.ContainsFunc(answers, func(e error) bool { return errors.Is(err, e) }) {
		return err
	}
	return errUnknown
}

// bySubject takes a history apart: keys and tokens have nothing to do with each
// other.
func bySubject(ops []porcupine.Operation) [][]porcupine.Operation {
	parts := map[string][]porcupine.Operation{}
	for _, op := range ops {
		subject := op.Input.(act).subject
		parts[subject] = append(parts[subject], op)
	}
	var list [][]porcupine.Operation
	for _, part := range parts {
		list = append(list, part)
	}
	return list
}

// A keyState is all that matters of a key.
type keyState struct {
	enabled, revoked bool
	secret           int // the one that is valid
}

// verdict is what a verification has to say.
func (s keyState) verdict(secret int) error {
	switch {
	case secret != s.secret:
		return apikey.ErrInvalid
	case s.revoked:
		return apikey.ErrRevoked
	case !s.enabled:
		return apikey.ErrDisabled
	default:
		return nil
	}
}

// change returns what becomes of a key, and whether the error fits.
func (s keyState) change(a act, err error) (keyState, bool) {
	switch {
	case errors.Is(err, apikey.ErrConflict): // others were faster, too often
		return s, true
	case errors.Is(err, errUnknown) && s.revoked:
		return s, true
	case errors.Is(err, errUnknown):
		err = nil
	}
	switch {
	case a.kind == "revoke":
		s.revoked = true
		return s, err == nil
	case s.revoked:
		return s, errors.Is(err, apikey.ErrRevoked)
	case a.kind == "rotate":
		s.secret = a.secret
	default:
		s.enabled = a.kind == "enable"
	}
	return s, err == nil
}

// freshModel is one key, as if there were one node, no cache and no database.
func freshModel() porcupine.Model {
	return porcupine.Model{
		Partition: bySubject,
		Init:      func() any { return keyState{enabled: true} },
		Step: func(state, input, output any) (bool, any) {
			s, a, err := state.(keyState), input.(act), output.(outcome).err
			if a.kind == "verify" {
				return errors.Is(err, s.verdict(a.secret)), s
			}
			s, fits := s.change(a, err)
			return fits, s
		},
	}
}

// A nodesState is a key, and what it has been since a node last looked at it to
// change it: that node may show any of this, and nothing older.
type nodesState struct {
	now  keyState
	seen [linearNodes]string // of states, one after the other
}

func (n nodesState) shows(node, secret int, err error) bool {
	for text := range strings.FieldsSeq(n.seen[node]) {
		var s keyState
		_, _ = fmt.Sscanf(text, "%t,%t,%d", &s.enabled, &s.revoked, &s.secret)
		if errors.Is(err, s.verdict(secret)) {
			return true
		}
	}
	return false
}

// ownModel is one key with nodes that know at once what they have changed
// themselves, and of the others sooner or later.
func ownModel() porcupine.Model {
	text := func(s keyState) string { return fmt.Sprintf("%t,%t,%d ", s.enabled, s.revoked, s.secret) }
	return porcupine.Model{
		Partition: bySubject,
		Init: func() any {
			n := nodesState{now: keyState{enabled: true}}
			for i := range n.seen {
				n.seen[i] = text(n.now)
			}
			return n
		},
		Step: func(state, input, output any) (bool, any) {
			n, a, err := state.(nodesState), input.(act), output.(outcome).err
			if a.kind == "verify" {
				return n.shows(a.node, a.secret, err), n
			}
			now, fits := n.now.change(a, err)
			if !fits || errors.Is(err, apikey.ErrConflict) {
				return fits, n
			}
			for i := range n.seen {
				if i == a.node {
					n.seen[i] = text(now)
				} else if !strings.Contains(n.seen[i], text(now)) {
					n.seen[i] += text(now)
				}
			}
			n.now = now
			return true, n
		},
	}
}

// judgeKeys looks whether the nodes can have seen what they showed.
func (h *history) judgeKeys() porcupine.CheckResult {
	if verdict := porcupine.CheckOperationsTimeout(ownModel(), h.ops, time.Minute); verdict != porcupine.Ok {
		return verdict
	}
	// What a verification shows may be as old as the bound.
	older := slices.Clone(h.ops)
	for i, op := range older {
		if op.Input.(act).kind == "verify" {
			older[i].Call -= int64(bound)
		}
	}
	return porcupine.CheckOperationsTimeout(freshModel(), older, time.Minute)
}

// A slot is a key that clients have got hold of, and its newest secret.
type slot struct {
	mu        sync.Mutex
	id        string
	secrets   []numbered
	rotations int
}

// A numbered secret is the one that a rotation with this number made.
type numbered struct {
	number int
	secret apikey.Secret
}

// secret returns one of the last secrets, and which it is.
func (s *slot) secret() (id string, secret apikey.Secret, number int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.secrets[max(0, len(s.secrets)-1-rand.N(2))]
	return s.id, one.secret, one.number
}

// A lossyFeed is slow, fails, and keeps some of the changes to itself.
type lossyFeed struct{ apikey.Feed }

func (f lossyFeed) Changes(ctx context.Context, after apikey.Cursor) ([]apikey.Change, apikey.Cursor, error) {
	time.Sleep(rand.N(50 * time.Millisecond))
	changes, next, err := f.Feed.Changes(ctx, after)
	switch rand.N(3) {
	case 0:
		return nil, "", errors.New("the feed is down")
	case 1:
		return nil, next, err // what there was is lost
	default:
		return changes, next, err
	}
}

// linearKeys lets clients play with keys on several nodes, and returns what
// they saw. A node has one Manager, or one that verifies and one that changes.
func (f keyFixture) linearKeys(t *testing.T, wrap func(apikey.Store) apikey.Store, managers int, lasting time.Duration) *history {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	nodes := make([]*apikey.Manager, managers*linearNodes)
	for i := range nodes {
		db := f.handle(t)
		defer func() { _ = db.Close() }()
		store := f.keyStore(t, db)
		var err error
		nodes[i], err = apikey.New(wrap(store), apikey.Config{Prefix: "test", CacheTTL: bound, Feed: lossyFeed{store}})
		require.NoError(t, err)
		require.NoError(t, nodes[i].Watch(ctx))
		defer func() { require.NoError(t, nodes[i].Close(context.Background())) }()
	}
	h := &history{began: time.Now()}
	slots := make([]*slot, linearSlots)
	for i := range slots {
		issued, err := nodes[0].Create(ctx, apikey.Spec{Name: "linear", Type: "admin", Permissions: scope.MustParseSet("users.view")})
		require.NoError(t, err)
		slots[i] = &slot{id: issued.Key.ID, secrets: []numbered{{0, issued.Secret}}}
	}
	var clients sync.WaitGroup
	for client := range linearClients {
		clients.Go(func() {
			for time.Since(h.began) < lasting {
				s := slots[rand.N(len(slots))]
				node := rand.N(linearNodes)
				h.play(ctx, client, nodes[node], nodes[len(nodes)-linearNodes+node], node, s)
				time.Sleep(rand.N(6 * time.Millisecond))
			}
		})
	}
	clients.Wait()
	return h
}

// play makes one operation.
func (h *history) play(ctx context.Context, client int, verifier, m *apikey.Manager, node int, s *slot) {
	id, secret, number := s.secret()
	a := act{subject: id, secret: number, node: node, kind: []string{
		"verify", "verify", "verify", "verify", "verify", "verify", "verify", "disable", "enable", "rotate", "revoke",
	}[rand.N(11)]}
	if a.kind == "revoke" && rand.N(8) > 0 {
		a.kind = "enable" // or they would all be dead soon
	}
	call := h.now()
	var err error
	switch a.kind {
	case "verify":
		_, err = verifier.Verify(ctx, secret.Reveal())
		end := h.now()
		if err = known(err, apikey.ErrInvalid, apikey.ErrRevoked, apikey.ErrDisabled); errors.Is(err, errUnknown) {
			h.failures.Add(1) // and nothing was shown
			return
		}
		h.add(client, a, call, end, outcome{err: err})
		return
	case "rotate":
		h.rotate(ctx, client, m, node, s, call)
		return
	case "disable":
		_, err = m.Disable(ctx, id)
	case "enable":
		_, err = m.Enable(ctx, id)
	case "revoke":
		err = m.Revoke(ctx, id, apikey.RevokeOptions{})
	}
	h.add(client, a, call, h.now(), outcome{err: known(err, apikey.ErrRevoked, apikey.ErrConflict)})
}

// rotate is one at a time for each key, so that secrets have numbers in the
// order in which they were made.
func (h *history) rotate(ctx context.Context, client int, m *apikey.Manager, node int, s *slot, call int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	issued, err := m.Rotate(ctx, s.id, 0, 0)
	a := act{subject: s.id, kind: "rotate", node: node, secret: s.rotations + 1}
	h.add(client, a, call, h.now(), outcome{err: known(err, apikey.ErrRevoked, apikey.ErrConflict)})
	s.rotations++
	if err == nil {
		s.secrets = append(s.secrets, numbered{s.rotations, issued.Secret})
	}
}

// rounds is how often clients play: after a while, all keys are revoked.
func rounds() int {
	if *long {
		return 15
	}
	return 1
}

func asItIs[T any](t T) T { return t }

// On three nodes with caches, and with feeds that lose and delay what they tell,
// a verification shows the state of a key at some moment that is not older than
// the bound, and not older than what the same node did to the key last.
func TestKeysAreLinearizable(t *testing.T) {
	eachKeyStore(t, func(t *testing.T, f keyFixture) {
		for range rounds() {
			h := f.linearKeys(t, asItIs, 1, 1500*time.Millisecond)
			require.Greater(t, len(h.ops), 100)
			require.Less(t, h.failures.Load(), int64(len(h.ops)/10), "the database is overloaded")
			require.Equal(t, porcupine.Ok, h.judgeKeys())
			t.Logf("%d operations", len(h.ops))
		}
	})
}

// A racyStore overwrites what somebody else has changed meanwhile.
type racyStore struct{ apikey.Store }

func (s racyStore) Update(ctx context.Context, r apikey.Record, e apikey.Event) error {
	time.Sleep(rand.N(5 * time.Millisecond))
	for {
		err := s.Store.Update(ctx, r, e)
		if !errors.Is(err, apikey.ErrConflict) {
			return err
		}
		r.Key.Version++
	}
}

// A laggingStore reads from a replica that is behind.
type laggingStore struct {
	apikey.Store

	mu   sync.Mutex
	seen map[apikey.Hash]apikey.Record
}

func (s *laggingStore) Find(ctx context.Context, hashes []apikey.Hash) (apikey.Record, error) {
	s.mu.Lock()
	old, known := s.seen[hashes[0]]
	s.mu.Unlock()
	if known && rand.N(4) > 0 {
		return old, nil
	}
	r, err := s.Store.Find(ctx, hashes)
	if err == nil {
		s.mu.Lock()
		s.seen[hashes[0]] = r
		s.mu.Unlock()
	}
	return r, err
}

func TestLinearizabilityCatches(t *testing.T) {
	for name, c := range map[string]struct {
		wrap     func(apikey.Store) apikey.Store
		managers int
	}{
		"lost updates": {func(s apikey.Store) apikey.Store { return racyStore{s} }, 1},
		"a replica": {func(s apikey.Store) apikey.Store {
			return &laggingStore{Store: s, seen: map[apikey.Hash]apikey.Record{}}
		}, 1},
		"own changes that go unnoticed": {asItIs[apikey.Store], 2},
	} {
		t.Run(name, func(t *testing.T) {
			f := newKeyFixture(t, "sqlite")
			require.Eventually(t, func() bool {
				return f.linearKeys(t, c.wrap, c.managers, time.Second).judgeKeys() == porcupine.Illegal
			}, 30*time.Second, time.Millisecond)
		})
	}
}

// A tokenState is all that matters of a token.
type tokenState struct {
	by      oauth.Attempt
	spent   bool
	revoked bool
}

// tokenModel is one token and its grant.
func tokenModel() porcupine.Model {
	return porcupine.Model{
		Partition: bySubject,
		Init:      func() any { return tokenState{} },
		Step: func(state, input, output any) (bool, any) {
			s, a, o := state.(tokenState), input.(act), output.(outcome)
			switch {
			case a.kind == "revoke":
				s.revoked = true
				return o.err == nil, s
			case a.kind == "lookup":
				return o.err == nil && o.spent.First == s.spent && o.spent.Attempt == s.by, s
			case s.spent:
				return o.err == nil && o.spent.Attempt == s.by && o.spent.First == (a.attempt == s.by), s
			case s.revoked:
				return errors.Is(o.err, oauth.ErrRevoked), s
			default:
				s.spent, s.by = true, a.attempt
				return o.err == nil && o.spent.First && o.spent.Attempt == a.attempt, s
			}
		},
	}
}

// linearTokens lets clients spend tokens, again with the same attempt now and
// then, and revoke their grants.
func (f oauthFixture) linearTokens(t *testing.T, wrap func(oauth.Store) oauth.Store, lasting time.Duration) []porcupine.Operation {
	t.Helper()
	nodes := make([]oauth.Store, linearNodes)
	for i := range nodes {
		nodes[i] = wrap(f.oauthStore(t, f.open(t)))
	}
	h := &history{began: time.Now()}
	for time.Since(h.began) < lasting {
		g, c := newGrant()
		require.NoError(t, f.store.CreateGrant(t.Context(), g, c))
		subject := c.ID
		var clients sync.WaitGroup
		for client := range linearClients {
			clients.Go(func() {
				s := newSpend(c)
				for range 4 {
					store := nodes[rand.N(len(nodes))]
					call, a, o := h.now(), act{subject: subject, kind: "spend", attempt: s.Attempt}, outcome{}
					switch rand.N(8) {
					case 0:
						a.kind = "revoke"
						_, o.err = store.RevokeGrants(t.Context(), oauth.Filter{GrantID: g.ID}, start)
					case 1, 2:
						a.kind = "lookup"
						var held oauth.Credential
						held, _, o.err = store.Lookup(t.Context(), c.Hash)
						o.spent = oauth.Spent{First: !held.SpentAt.IsZero(), Attempt: held.Attempt}
					default:
						o.spent, o.err = store.Spend(t.Context(), s, newCredential(g, oauth.KindAccess))
					}
					h.add(client, a, call, h.now(), o)
				}
			})
		}
		clients.Wait()
	}
	return h.ops
}

func TestTokensAreLinearizable(t *testing.T) {
	eachOAuthStore(t, func(t *testing.T, f oauthFixture) {
		ops := f.linearTokens(t, asItIs, time.Duration(rounds())*time.Second)
		require.Greater(t, len(ops), 100)
		for _, op := range ops {
			require.NotErrorIs(t, known(op.Output.(outcome).err, oauth.ErrRevoked), errUnknown)
		}
		require.Equal(t, porcupine.Ok, porcupine.CheckOperationsTimeout(tokenModel(), ops, time.Minute))
		t.Logf("%d operations", len(ops))
	})
}

// A racySpender looks before it spends, and nothing holds it in between.
type racySpender struct {
	oauth.Store

	f oauthFixture
}

func (s racySpender) Spend(ctx context.Context, spend oauth.Spend, issue ...oauth.Credential) (oauth.Spent, error) {
	c, g, err := s.Lookup(ctx, spend.Hash)
	switch {
	case err != nil:
		return oauth.Spent{}, err
	case !c.SpentAt.IsZero():
		return oauth.Spent{First: c.Attempt == spend.Attempt, Attempt: c.Attempt, At: c.SpentAt}, nil
	case !g.RevokedAt.IsZero():
		return oauth.Spent{}, oauth.ErrRevoked
	}
	_, err = s.f.db.ExecContext(ctx, "UPDATE "+s.f.prefix+"credentials SET spent_at = ?, attempt = ? WHERE hash = ?", spend.At.UnixMicro(), spend.Attempt[:], spend.Hash[:])
	return oauth.Spent{First: true, Attempt: spend.Attempt, At: spend.At}, err
}

func TestLinearizabilityCatchesTwoWinners(t *testing.T) {
	f := newOAuthFixture(t, "sqlite")
	require.Eventually(t, func() bool {
		ops := f.linearTokens(t, func(s oauth.Store) oauth.Store { return racySpender{s, f} }, time.Second)
		return porcupine.CheckOperationsTimeout(tokenModel(), ops, time.Minute) == porcupine.Illegal
	}, 30*time.Second, time.Millisecond)
}
