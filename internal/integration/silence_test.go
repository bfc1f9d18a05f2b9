package integration

import (
	"bytes"
	"context"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/oauth"
)

// A cable leads to a database. Once it was told to, it goes dead when the next
// COMMIT comes along: nothing passes any more, and nobody is told. If it cuts, the
// one with the COMMIT is cut, and all others a moment later.
type cable struct {
	armed, arrives, cuts, dead atomic.Bool

	mu   sync.Mutex
	ends []net.Conn
}

// cut tells both sides that it is over.
func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, end := range c.ends {
		_ = end.Close()
	}
	c.ends = nil
}

// cabled returns the database at the other end of a cable.
func (d database) cabled(t *testing.T) (database, *cable) {
	t.Helper()
	address := regexp.MustCompile(`[@(]([^@()/]+:\d+)`).FindStringSubmatch(d.source)
	require.Len(t, address, 2, "no host and port in the name of the database")
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	c := &cable{}
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", address[1])
			if err != nil {
				_ = near.Close()
				continue
			}
			c.mu.Lock()
			c.ends = append(c.ends, near, far)
			c.mu.Unlock()
			dead := &atomic.Bool{}
			go c.carry(far, near, dead)
			go c.carry(near, far, dead)
		}
	}()
	d.source = strings.Replace(d.source, address[1], listener.Addr().String(), 1)
	return d, c
}

func (c *cable) carry(to io.Writer, from io.ReadCloser, dead *atomic.Bool) {
	buffer := make([]byte, 1<<16)
	for {
		n, err := from.Read(buffer)
		if bytes.Contains(bytes.ToUpper(buffer[:n]), []byte("COMMIT")) && c.armed.CompareAndSwap(true, false) {
			dead.Store(true)
			if c.arrives.Load() {
				_, _ = to.Write(buffer[:n])
			}
			if c.cuts.Load() {
				time.Sleep(30 * time.Millisecond) // it is carried out
				c.dead.Store(true)
				_ = from.Close()
				time.Sleep(50 * time.Millisecond) // others are tried
				c.cut()
				c.dead.Store(false)
			}
		}
		if (dead.Load() || c.dead.Load()) && err == nil {
			continue
		}
		if _, failed := to.Write(buffer[:n]); failed != nil || err != nil {
			return
		}
	}
}

// A COMMIT that is not answered, and a driver that waits for that for ever: the
// store finds out over another connection what became of it, soon. If it never
// arrived, the server holds what it locked until somebody tells it that nobody
// is there any more: then the caller hears of an error, and nothing was done.
func TestNoAnswerToACommit(t *testing.T) {
	for _, dialect := range []string{"postgres", "mysql"} {
		for what, arrives := range map[string]bool{"it was committed": true, "it was not": false} {
			t.Run(dialect+"/"+what, func(t *testing.T) {
				t.Parallel()
				f, grants := newKeyFixture(t, dialect), newOAuthFixture(t, dialect)
				near, line := f.cabled(t)
				store := near.keyStore(t, near.open(t))
				near.prefix = grants.prefix
				spender := near.oauthStore(t, near.open(t))
				t.Cleanup(line.cut)
				silent := func(call func(ctx context.Context) error) {
					line.arrives.Store(arrives)
					line.armed.Store(true)
					began := time.Now()
					err := call(context.Background())
					require.False(t, line.armed.Load(), "no COMMIT came along")
					require.Less(t, time.Since(began), 8*time.Second)
					if arrives {
						require.NoError(t, err)
					} else {
						require.ErrorContains(t, err, "the answer to the commit was lost")
						require.NotErrorIs(t, err, context.DeadlineExceeded, "the caller has none")
						require.NotErrorIs(t, err, context.Canceled)
					}
				}
				r := newRecord()
				e := eventOf(r, apikey.Created, start)
				silent(func(ctx context.Context) error { return store.Create(ctx, r, e) })
				require.Equal(t, arrives, f.trace(t, what, r, e))

				g, c := newGrant()
				require.NoError(t, grants.store.CreateGrant(t.Context(), g, c))
				own := newSpend(c)
				silent(func(ctx context.Context) error {
					spent, err := spender.Spend(ctx, own, newCredential(g, oauth.KindAccess))
					require.Equal(t, arrives, spent.First)
					return err
				})
				held, _, err := grants.store.Lookup(t.Context(), c.Hash)
				require.NoError(t, err)
				require.Equal(t, arrives, !held.SpentAt.IsZero())
				began := time.Now()
				_ = store.Close() // it may say that nobody answers
				require.Less(t, time.Since(began), 8*time.Second)
			})
		}
	}
}

// Whatever stands between a service and its database ends, and with it the answer
// to a COMMIT and every connection in the pool.
func TestEveryConnectionIsLost(t *testing.T) {
	for _, dialect := range []string{"postgres", "mysql"} {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			f, grants := newKeyFixture(t, dialect), newOAuthFixture(t, dialect)
			near, line := f.cabled(t)
			db := near.open(t)
			keys := near.keyStore(t, db)
			near.prefix = grants.prefix
			tokens := near.oauthStore(t, db)
			t.Cleanup(line.cut)
			line.arrives.Store(true)
			line.cuts.Store(true)
			lost := func(call func(ctx context.Context) error) {
				var warm []io.Closer
				for len(warm) < 10 {
					conn, err := db.Conn(t.Context())
					require.NoError(t, err)
					if conn.PingContext(t.Context()) != nil { // it was cut before
						_ = conn.Close()
						continue
					}
					warm = append(warm, conn)
				}
				for _, conn := range warm {
					require.NoError(t, conn.Close())
				}
				line.armed.Store(true)
				require.NoError(t, call(t.Context()))
				require.False(t, line.armed.Load(), "no COMMIT came along")
			}
			r := newRecord()
			created := eventOf(r, apikey.Created, start)
			lost(func(ctx context.Context) error { return keys.Create(ctx, r, created) })
			require.True(t, f.trace(t, "create", r, created))
			r.Key.Version++
			r.Key.RevokedAt = start
			revoked := eventOf(r, apikey.Revoked, start)
			lost(func(ctx context.Context) error { return keys.Update(ctx, r, revoked) })
			require.True(t, f.trace(t, "revoke", r, revoked))

			g, c := newGrant()
			lost(func(ctx context.Context) error { return tokens.CreateGrant(ctx, g, c) })
			lost(func(ctx context.Context) error {
				spent, err := tokens.Spend(ctx, newSpend(c), newCredential(g, oauth.KindAccess))
				require.True(t, spent.First)
				return err
			})
			client := oauth.Client{ID: newID(), Name: "Machine", CreatedAt: start, UpdatedAt: start, Version: 1}
			lost(func(ctx context.Context) error { return tokens.CreateClient(ctx, client) })
			client.Version++
			lost(func(ctx context.Context) error { return tokens.UpdateClient(ctx, client) })
			lost(func(ctx context.Context) error { return tokens.DeleteClient(ctx, client.ID) })
		})
	}
}
