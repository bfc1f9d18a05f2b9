package oauth_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
)

// A tardyStore answers Lookup with what it read up to 1.5 seconds ago.
type tardyStore struct {
	oauth.Store

	mu   sync.Mutex
	dice *rand.Rand
}

func (s *tardyStore) Lookup(ctx context.Context, hash oauth.Hash) (oauth.Credential, oauth.Grant, error) {
	c, g, err := s.Store.Lookup(ctx, hash)
	s.mu.Lock()
	delay := time.Duration(s.dice.Int64N(int64(1500 * time.Millisecond)))
	s.mu.Unlock()
	time.Sleep(delay)
	return c, g, err
}

// A played token is one that somebody has, and what is known of its end.
type played struct {
	answer

	subject oauth.Subject
	ended   time.Time // when it was revoked first; zero: it lives
	by      [2]bool   // through which nodes
}

func (p *played) end(node int) {
	if p.ended.IsZero() {
		p.ended = time.Now()
	}
	p.by[node] = true
}

// Two nodes with caches, whose reads take their time, and at both of them
// everything at random that issues and revokes: what lives is good at both, what
// was revoked through a node is dead there at once, and everywhere after the TTL.
func TestCacheKeepsToItsModel(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			in(t, func(t *testing.T) {
				dice := rand.New(rand.NewPCG(seed, 1))
				h := newHouse(t)
				nodes := [2]*house{h, {t: t, clients: clientele{tap: new(tap), byID: h.clients.byID}, secrets: h.secrets, tap: h.tap, clock: h.clock}}
				nodes[1].people = people{tap: h.tap, byName: h.people.byName}
				for _, n := range nodes {
					n.on(&tardyStore{Store: h.memory, dice: rand.New(rand.NewPCG(seed, 2))}, cached, unlimited)
				}
				names := []string{"ada", "ida", "eda"}
				for i, name := range names {
					h.people.put(name, oauth.User{Subject: fmt.Sprint("u", i), PasswordHash: rightHash()})
				}
				var tokens []*played
				for range 600 {
					h.clock.advance(time.Millisecond) // so that grants can be told apart by their time
					node, who := dice.IntN(2), dice.IntN(len(names))
					n, subject := nodes[node], fmt.Sprint("u", who)
					var one *played
					if len(tokens) > 0 {
						one = tokens[dice.IntN(len(tokens))]
					}
					switch action := dice.IntN(20); {
					case one == nil || action < 3:
						tokens = append(tokens, &played{answer: requireTokens(t, n.as("first", login(names[who], right))), subject: user(subject)})
					case action == 3:
						tokens = append(tokens, &played{answer: requireTokens(t, n.as("first", byClient)), subject: machine("first")})
					case action == 4:
						require.Equal(t, 200, n.revoke("first", "token="+one.access()).Code)
						one.end(node)
					case action == 5 && one.refresh() != "":
						require.Equal(t, 200, n.revoke("first", "token="+one.refresh()).Code)
						one.end(node)
					case action == 6:
						revoke := n.server.RevokeSubject
						if dice.IntN(2) == 0 {
							revoke = func(ctx context.Context, subject string) (int, error) {
								return n.server.RevokeApplication(ctx, subject, "first")
							}
						}
						_, err := revoke(t.Context(), subject)
						require.NoError(t, err)
						for _, p := range tokens {
							if p.subject == user(subject) {
								p.end(node)
							}
						}
					case action == 7:
						time.Sleep(time.Duration(dice.Int64N(int64(2 * time.Second))))
					default:
						began := time.Now()
						_, err := n.server.Verify(t.Context(), one.access())
						switch {
						case one.ended.IsZero():
							require.NoError(t, err)
						case one.by[node] || !began.Before(one.ended.Add(cacheTTL)):
							require.Error(t, err)
						}
					}
				}
				for _, n := range nodes {
					require.NoError(t, n.server.Close(t.Context()))
				}
			})
		})
	}
}
