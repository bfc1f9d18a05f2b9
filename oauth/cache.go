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
	"github.com/latchwork/latchwork/internal/clock"
	"github.com/latchwork/latchwork/internal/credential"
)

// disbelief is how long a store is not believed that has not heard of what was
// revoked here. What it says is judged by when a grant was made, perhaps by
// another clock, or by this one before it was set back: nobody who was let in
// anew waits longer for that.
const disbelief = 10 * time.Second

// A tokenCache keeps what was read of access tokens, under their bodies: the
// prefix is the same for all. What it keeps goes by the subject of the grant:
// whatever is revoked is a subject's, unless it is a client's as a whole. A nil one
// keeps nothing, and hears of everything in vain.
type tokenCache struct {
	entries    *cache.Cache[readToken]
	background background.Group
	store      Store
	format     credential.Format
	clock      func() time.Time
	glance     *clock.Clock // the same, for requests
}

// newTokenCache returns nil unless Config.CacheTTL asks for more.
func newTokenCache(store Store, format credential.Format, cfg Config) (*tokenCache, []error) {
	o, faults := cache.Configure(cfg.CacheTTL, cfg.CacheSize, cfg.MaxLoads)
	switch {
	case cfg.CacheTTL < 0:
		return nil, append(faults, fmt.Errorf("cache TTL %v is negative", cfg.CacheTTL))
	case faults != nil || cfg.CacheTTL == 0:
		return nil, faults
	}
	c := &tokenCache{
		background: background.Group{Log: cfg.Logger}, store: store, format: format,
		clock: cfg.Now, glance: clock.New(time.Now(), cfg.Now),
	}
	if c.clock == nil {
		c.clock = time.Now
	}
	o.Start, o.Clock, o.Log, o.Remember = c.background.Start, c.glance, cfg.Logger, disbelief
	c.entries = cache.New[readToken](o)
	return c, nil
}

// A readToken is an access token as it was read, and by what it is judged.
type readToken struct {
	good     time.Duration // until when it is, by the cache's glance at a clock
	token    Token
	standing standing
}

// known answers from what is known without the store, or with ErrNotCached. What
// is cached was well-formed when it came in, so that only the rest has its
// checksum looked at.
func (c *tokenCache) known(presented string) (*readToken, error) {
	body, ok := c.format.Body(presented)
	if !ok {
		return nil, ErrInvalid
	}
	if e := c.entries.Find(body); e != nil {
		age, since := c.glance.Instant()
		verdict := c.entries.Judge(e, age)
		if verdict == cache.Due {
			c.entries.Refresh(c.entries.Key(body), c.reader(Hash(credential.Sum(presented))))
		}
		if verdict != cache.Old {
			return &e.Value, c.judge(&e.Value, since)
		}
	} else if !c.format.Valid(presented) {
		return nil, ErrInvalid
	}
	if c.entries.Missed(c.entries.Key(body)) {
		return nil, ErrInvalid
	}
	return nil, ErrNotCached
}

// load answers from the store, which it asks together with everybody who wants
// to know the same.
func (c *tokenCache) load(ctx context.Context, presented string) (*readToken, error) {
	body, _ := c.format.Body(presented)
	e, err := c.entries.Load(ctx, c.entries.Key(body), c.reader(Hash(credential.Sum(presented))))
	switch {
	case errors.Is(err, cache.ErrBusy):
		return nil, ErrBusy
	case err != nil:
		return nil, fmt.Errorf("oauth: lookup: %w", err)
	case e == nil:
		return nil, ErrInvalid
	}
	_, since := c.glance.Instant()
	return &e.Value, c.judge(&e.Value, since)
}

// judge says why a token may not be used. Nearly always a single comparison
// tells that it may.
func (c *tokenCache) judge(r *readToken, since time.Duration) error {
	if since < r.good {
		return nil
	}
	return r.standing.judge(c.clock())
}

// copied returns the token for one caller. It copies only once: a Token is
// large.
func (r *readToken) copied() (t Token) {
	t = r.token
	if t.Resources != nil { // the rest cannot be changed
		t.Resources = slices.Clone(t.Resources)
	}
	return t
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
		st := standingOf(&held, &g, !held.SpentAt.IsZero(), !g.RevokedAt.IsZero())
		e.Value.standing, e.Value.good = st, math.MinInt64
		if !st.revoked && !st.unusable {
			e.Value.good = min(c.glance.Since(st.grantEnds), c.glance.Since(st.ends))
		}
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
