package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/oauth/password"
)

// A clock stands still until it is moved.
type clock struct{ nanoseconds atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.nanoseconds.Store(time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.nanoseconds.Load()) }
func (c *clock) advance(d time.Duration) { c.nanoseconds.Add(int64(d)) }

// set moves the clock to an instant and a little further.
func (c *clock) set(t time.Time, further time.Duration) {
	c.nanoseconds.Store(t.Add(further).UnixNano())
}

// A tap is passed by every call to a collaborator of the Server. It counts them
// and can make them fail.
type tap struct {
	mu     sync.Mutex
	calls  []string
	given  []string
	before func(call string) error
}

func (t *tap) pass(call string, given ...any) error {
	t.mu.Lock()
	t.calls = append(t.calls, call)
	t.given = append(t.given, fmt.Sprintf("%+v", given))
	before := t.before
	t.mu.Unlock()
	if before == nil {
		return nil
	}
	return before(call)
}

// do sets what happens before each call from now on.
func (t *tap) do(before func(call string) error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.before, t.calls = before, nil
}

// since returns the calls since the last do that begin with one of these words.
func (t *tap) since(words ...string) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	found := []string{}
	for _, call := range t.calls {
		for _, word := range words {
			if strings.HasPrefix(call, word) {
				found = append(found, call)
			}
		}
	}
	return found
}

// writes returns the calls that change a store.
func (t *tap) writes() []string {
	return t.since("Store.CreateGrant", "Store.Spend", "Store.RevokeGrants", "Store.DeleteExpired", "Users.Set")
}

type spy struct {
	oauth.Store

	tap *tap
}

func (s spy) CreateGrant(ctx context.Context, g oauth.Grant, first ...oauth.Credential) error {
	if err := s.tap.pass("Store.CreateGrant", g, first); err != nil {
		return err
	}
	return s.Store.CreateGrant(ctx, g, first...)
}

func (s spy) Lookup(ctx context.Context, hash oauth.Hash) (oauth.Credential, oauth.Grant, error) {
	if err := s.tap.pass("Store.Lookup", hash); err != nil {
		return oauth.Credential{}, oauth.Grant{}, err
	}
	return s.Store.Lookup(ctx, hash)
}

func (s spy) Spend(ctx context.Context, spend oauth.Spend, issue ...oauth.Credential) (oauth.Spent, error) {
	if err := s.tap.pass("Store.Spend", spend, issue); err != nil {
		return oauth.Spent{}, err
	}
	return s.Store.Spend(ctx, spend, issue...)
}

func (s spy) RevokeGrants(ctx context.Context, f oauth.Filter, at time.Time) (int, error) {
	if err := s.tap.pass("Store.RevokeGrants", f, at); err != nil {
		return 0, err
	}
	return s.Store.RevokeGrants(ctx, f, at)
}

func (s spy) Grants(ctx context.Context, f oauth.Filter, page oauth.Page) ([]oauth.Grant, error) {
	if err := s.tap.pass("Store.Grants", f, page); err != nil {
		return nil, err
	}
	return s.Store.Grants(ctx, f, page)
}

// A clientele is a ClientStore that can change.
type clientele struct {
	tap  *tap
	mu   sync.Mutex
	byID map[string]oauth.Client
}

func (c *clientele) Client(_ context.Context, id string) (oauth.Client, error) {
	if err := c.tap.pass("Clients.Client", id); err != nil {
		return oauth.Client{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	client, ok := c.byID[id]
	if !ok {
		return oauth.Client{}, fmt.Errorf("clients: %w", oauth.ErrNotFound)
	}
	return client, nil
}

func (c *clientele) get(id string) oauth.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byID[id]
}

func (c *clientele) put(client oauth.Client) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byID[client.ID] = client
}

// people are the Users.
type people struct {
	tap    *tap
	mu     sync.Mutex
	byName map[string]oauth.User
}

func (p *people) ByName(_ context.Context, name string) (oauth.User, error) {
	if err := p.tap.pass("Users.ByName"); err != nil {
		return oauth.User{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	user, ok := p.byName[name]
	if !ok {
		return oauth.User{}, fmt.Errorf("people: %w", oauth.ErrNotFound)
	}
	return user, nil
}

func (p *people) Active(_ context.Context, subject string) (bool, error) {
	if err := p.tap.pass("Users.Active"); err != nil {
		return false, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, user := range p.byName {
		if user.Subject == subject {
			return !user.Disabled, nil
		}
	}
	return false, fmt.Errorf("people: %w", oauth.ErrNotFound)
}

func (p *people) SetPasswordHash(_ context.Context, subject, old, hash string) error {
	if err := p.tap.pass("Users.SetPasswordHash"); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, user := range p.byName {
		if user.Subject == subject && user.PasswordHash == old {
			user.PasswordHash = hash
			p.byName[name] = user
		}
	}
	return nil
}

func (p *people) put(name string, user oauth.User) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.byName[name] = user
}

// remove is what becomes of an account that is closed.
func (p *people) remove(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.byName, name)
}

type hasher struct {
	tap *tap
	*password.Hasher
}

func (h hasher) Verify(ctx context.Context, hash, text string) (ok, outdated bool, err error) {
	if err := h.tap.pass("Passwords.Verify"); err != nil {
		return false, false, err
	}
	return h.Hasher.Verify(ctx, hash, text)
}

func (h hasher) Hash(ctx context.Context, text string) (string, error) {
	if err := h.tap.pass("Passwords.Hash"); err != nil {
		return "", err
	}
	return h.Hasher.Hash(ctx, text)
}

var cheap = sync.OnceValue(func() *password.Hasher {
	h, err := password.New(password.Config{Memory: 8, Iterations: 1, Concurrent: 64})
	if err != nil {
		panic(err)
	}
	return h
})

var rightHash = sync.OnceValue(func() string {
	hash, err := cheap().Hash(context.Background(), right)
	if err != nil {
		panic(err)
	}
	return hash
})

var errBoom = errors.New("connection to db7.internal refused")

// fail makes calls fail that begin with these words.
func fail(words string) func(string) error {
	return func(call string) error {
		if strings.HasPrefix(call, words) {
			return errBoom
		}
		return nil
	}
}

// legacyHash is a hash of "password" as Laravel writes them, but cheap.
var legacyHash = sync.OnceValue(func() string {
	hash, err := bcrypt.GenerateFromPassword([]byte("password"), bcrypt.MinCost)
	if err != nil {
		panic(err)
	}
	return "$2y$" + string(hash[4:])
})
