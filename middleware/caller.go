package middleware

import (
	"context"
	"errors"
	"net/netip"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/scope"
)

// A caller is who sent a request, in the few words that most requests need:
// a Principal, which is large, is made of it for those who ask. The zero caller
// is nobody.
type caller struct {
	key     use        // of API keys, unless an Authenticator of the host's own found them
	foreign *Principal // of everybody else
	addr    netip.Addr
}

// find asks an Authenticator who it is. Of keys, which nearly every request comes
// with, it finds out no more than that.
func (c *caller) find(ctx context.Context, a Authenticator, t *trial) (err error) {
	if k, ok := a.(keys); ok {
		c.key, err = k.identify(ctx, t, c.addr)
		return err
	}
	p, err := a.Authenticate(ctx, t.presented, Request{ClientAddr: c.addr, trial: *t})
	if err != nil {
		return err
	}
	if p.Kind == 0 {
		return errors.New("middleware: the Authenticator returned nobody")
	}
	p.ClientAddr = c.addr
	c.foreign = &p
	return nil
}

// principal returns the caller for others, with nothing left to count.
func (c *caller) principal() Principal {
	switch {
	case c.foreign != nil:
		return c.foreign.counted()
	case c.key.keys != nil:
		p := c.key.principal().counted()
		p.ClientAddr = c.addr
		return p
	default:
		return Principal{}
	}
}

func (c *caller) kind() Kind {
	switch {
	case c.foreign != nil:
		return c.foreign.Kind
	case c.key.keys != nil:
		return KindKey
	default:
		return 0
	}
}

// keyType returns the type of a key.
func (c *caller) keyType() string {
	if c.foreign != nil {
		return c.foreign.KeyType
	}
	return c.key.key.Type()
}

func (c *caller) permissions() scope.Set {
	if c.foreign != nil {
		return c.foreign.Permissions
	}
	return c.key.key.Permissions()
}

// uncounted returns what is left to count.
func (c *caller) uncounted() use {
	if c.foreign != nil {
		return c.foreign.use
	}
	return c.key
}

// count records how the request ended.
func (c *caller) count(outcome apikey.Outcome) { c.uncounted().count(c.addr, outcome) }
