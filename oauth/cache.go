package oauth

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/latchwork/latchwork/internal/background"
	"github.com/latchwork/latchwork/internal/cache"
	"github.com/latchwork/latchwork/internal/credential"
)

// disbelief is how long a store is not believed that has not heard of what was
// revoked here. What it says is judged by when a grant was made, perhaps by
// another clock, or by this one before it was set back: nobody who was let in
// anew waits longer for that.
const disbelief = 10 * time.Second

// A tokenCache keeps what was read of access tokens. What it keeps goes by the
// subject of the grant: whatever is revoked is a subject's, unless it is a
// client's as a whole. A nil one keeps nothing, and hears of everything in vain.
type tokenCache struct {
	entries    *cache.Cache[readToken]
	background background.Group
	store      Store
	clock      func() time.Time // nil: time.Now
}

// newTokenCache returns nil unless Config.CacheTTL asks for more.
func newTokenCache(store Store, cfg Config) (*tokenCache, []error) {
	o, faults := cache.Configure(cfg.CacheTTL, cfg.CacheSize, cfg.MaxLoads)
	switch {
	case cfg.CacheTTL < 0:
		return nil, append(faults, fmt.Errorf("cache TTL %v is negative", cfg.CacheTTL))
	case faults != nil || cfg.CacheTTL == 0:
		return nil, faults
	}
	c := &tokenCache{background: background.Group{Log: cfg.Logger}, store: store, clock: cfg.Now}
	o.Start, o.Base, o.Log, o.Remember = c.background.Start, time.Now(), cfg.Logger, disbelief
	c.entries = cache.New[readToken](o)
	return c, nil
}

// A readToken is an access token as it was read, and by what it is judged.
type readToken struct {
	token    Token
	standing standing
}

// known fills in t from what is known without the store. The key is that of
// presented if the error is ErrNotCached. What is cached was well-formed when
// it came in, so that only the rest has its checksum looked at.
func (c *tokenCache) known(presented string, format credential.Format, t *Token) (cache.Key, error) {
	if e := c.entries.Find(presented); e != nil {
		age, now := c.instant()
		verdict := c.entries.Judge(e, age)
		if verdict == cache.Due {
			c.entries.Refresh(c.entries.Key(presented), c.reader(Hash(credential.Sum(presented))))
		}
		if verdict != cache.Old {
			return cache.Key{}, e.Value.give(t, now)
		}
	} else if !format.Valid(presented) {
		return cache.Key{}, ErrInvalid
	}
	key := c.entries.Key(presented)
	if c.entries.Missed(key) {
		return cache.Key{}, ErrInvalid
	}
	return key, ErrNotCached
}

// load fills in t from the store, which it asks together with everybody who
// wants to know the same.
func (c *tokenCache) load(ctx context.Context, key cache.Key, h Hash, t *Token) error {
	e, err := c.entries.Load(ctx, key, c.reader(h))
	switch {
	case errors.Is(err, cache.ErrBusy):
		return ErrBusy
	case err != nil:
		return fmt.Errorf("oauth: lookup: %w", err)
	case e == nil:
		return ErrInvalid
	}
	_, now := c.instant()
	return e.Value.give(t, now)
}

// instant returns the present by the cache's clock, and the one by which expiry
// is judged: from a single look at the clock if that is possible.
func (c *tokenCache) instant() (time.Duration, time.Time) {
	if c.clock != nil {
		return c.entries.Now(), c.clock()
	}
	now := time.Now()
	return c.entries.At(now), now
}

// give sets what the token says, if it may be used.
func (r *readToken) give(t *Token, now time.Time) error {
	if err := r.standing.judge(now); err != nil {
		return err
	}
	*t = r.token
	t.Resources = slices.Clone(t.Resources) // the rest cannot be changed
	return nil
}

// reader returns how an access token is read.
func (c *tokenCache) reader(h Hash) cache.Read[readToken] {
	return func(ctx context.Context) (*cache.Entry[readToken], error) {
		held, g, err := c.store.Lookup(ctx, h)
		switch {
		case errors.Is(err, ErrNotFound):
			return nil, nil //nolint:nilnil // it is how a Read says so
		case err != nil:
			return nil, err
		case !belong(&held, &g, h):
			return nil, errAnother
		case c.isBehind(&held, &g):
			return nil, cache.ErrOutdated
		}
		e := &cache.Entry[readToken]{ID: noteOn(g.Subject)}
		e.Value.token.set(&held, &g)
		e.Value.standing = standingOf(&held, &g, !held.SpentAt.IsZero(), !g.RevokedAt.IsZero())
		return e, nil
	}
}

// isBehind reports whether a store has not heard of what was revoked here.
func (c *tokenCache) isBehind(held *Credential, g *Grant) bool {
	if held.SpentAt.IsZero() && c.entries.Written(noteOn(held.Hash)) > 0 {
		return true
	}
	if !g.RevokedAt.IsZero() {
		return false
	}
	for _, f := range []Filter{
		{GrantID: g.ID}, {Subject: g.Subject}, {Subject: g.Subject, ClientID: g.ClientID}, {ClientID: g.ClientID},
	} {
		if c.entries.Written(noteOn(f)) > g.CreatedAt.UnixMicro() {
			return true
		}
	}
	return false
}

// noteOn returns under what the cache notes what becomes of something.
func noteOn[T Subject | Filter | Hash](v T) string { return fmt.Sprintf("%T %q", v, v) }

// revoked hears that grants were revoked here, or perhaps were, if err is not
// nil. Those that a subject or a client was given later are not among them.
func (c *tokenCache) revoked(f Filter, owner Subject, at time.Time, err error) {
	if c == nil {
		return
	}
	if err == nil {
		c.entries.Wrote(noteOn(f), noteAt(f, at))
	}
	if owner == (Subject{}) {
		c.entries.Drop()
	} else {
		c.entries.Doubt(noteOn(owner))
	}
}

// noteAt returns which grants were revoked: those that were made before, and one
// by its ID whatever the clocks say.
func noteAt(f Filter, at time.Time) int64 {
	if f.GrantID != "" {
		return math.MaxInt64
	}
	return at.UnixMicro()
}

// spent hears that an access token was spent here, or perhaps was.
func (c *tokenCache) spent(h Hash, owner Subject, err error) {
	if c == nil {
		return
	}
	if err == nil {
		c.entries.Wrote(noteOn(h), 1)
	}
	c.entries.Doubt(noteOn(owner))
}

// Close ends what goes on in the background for Config.CacheTTL, and waits for
// that until the context is done, whose error it returns then. Everything still
// works afterwards. Calling it again is fine.
func (s *Server) Close(ctx context.Context) error {
	if s.cache == nil {
		return nil
	}
	if s.cfg.RevokedBy != nil {
		s.cfg.RevokedBy.forget(s.cache)
	}
	return s.cache.background.Close(ctx)
}
