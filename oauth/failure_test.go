package oauth_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
)

// A flow is one way through the token endpoint.
type flow struct {
	name    string
	prepare func(h *house) string // returns the body of the request
	status  int
}

func flows() []flow {
	return []flow{
		{"login", func(*house) string { return byLogin }, 200},
		{"login with renewal", func(h *house) string {
			h.people.put("taylor", oauth.User{Subject: "u7", PasswordHash: legacyHash()})
			return login("taylor", "password")
		}, 200},
		{"code", func(h *house) string { return byCode(h.code()) }, 200},
		{"code again", func(h *house) string {
			code := h.code()
			requireTokens(h.t, h.as("first", byCode(code)))
			return byCode(code)
		}, 400},
		{"client", func(*house) string { return byClient }, 200},
		{"refresh", func(h *house) string { return byToken + requireTokens(h.t, h.as("first", byLogin)).refresh() }, 200},
		{"replay", func(h *house) string {
			token := requireTokens(h.t, h.as("first", byLogin)).refresh()
			requireTokens(h.t, h.as("first", byToken+token))
			return byToken + token
		}, 200},
		{"reuse", func(h *house) string {
			token := requireTokens(h.t, h.as("first", byLogin)).refresh()
			requireTokens(h.t, h.as("first", byToken+token))
			h.clock.advance(time.Hour)
			return byToken + token
		}, 400},
	}
}

// each calls try for every call that a flow makes, in turn, in a new house.
func each(t *testing.T, try func(t *testing.T, f flow, n int, call string)) {
	t.Parallel()
	for _, f := range flows() {
		h := newHouse(t)
		form := f.prepare(h)
		h.tap.do(nil)
		require.Equal(t, f.status, h.as("first", form).Code)
		for n, call := range h.tap.since("") {
			t.Run(f.name+" "+call, func(t *testing.T) {
				t.Parallel()
				try(t, f, n, call)
			})
		}
	}
}

// nth does something at the n-th call.
func nth(n int, do func() error) func(string) error {
	return func(string) error {
		if n--; n == -1 {
			return do()
		}
		return nil
	}
}

func TestReq026_FailingAtEveryCall(t *testing.T) {
	each(t, func(t *testing.T, f flow, n int, call string) {
		h := newHouse(t)
		form := f.prepare(h)
		h.tap.do(nth(n, func() error { return errBoom }))
		a := h.as("first", form)
		switch call {
		case "Passwords.Hash", "Users.SetPasswordHash": // the next login tries again
			requireTokens(t, a)
			return
		case "Store.Spend": // was asked again, as its answer may have been lost
			requireTokens(t, a)
			require.Equal(t, []string{"Store.Spend", "Store.Spend"}, h.tap.writes())
			return
		}
		requireError(t, a, 503, "temporarily_unavailable")
		require.NotContains(t, a.Body.String(), "db7.internal")
		require.Contains(t, h.log.String(), "db7.internal")
		h.tap.do(nil)
		require.Equal(t, f.status, h.as("first", form).Code, "what failed left something behind")
	})
}

// A request whose sender is gone before anything was stored stores nothing, and
// is answered with nothing.
func TestReq027_CancelledBeforeAnythingIsStored(t *testing.T) {
	each(t, func(t *testing.T, f flow, n int, call string) {
		h := newHouse(t)
		form := f.prepare(h)
		ctx, cancel := context.WithCancel(t.Context())
		h.tap.do(nth(n, func() error { cancel(); return nil }))
		a := h.send(request(form, h.basic("first")).WithContext(ctx))
		switch call {
		case "Store.CreateGrant", "Store.Spend", "Store.RevokeGrants":
			require.Equal(t, f.status, a.Code, "what has begun is finished")
			require.False(t, a.silent())
		case "Users.Active":
			require.True(t, a.silent() || f.name == "replay", "%d %s", a.Code, a.Body)
			require.Empty(t, h.tap.writes())
		case "Users.ByName":
			if slices.Contains(h.tap.writes(), "Store.CreateGrant") {
				require.Equal(t, f.status, a.Code, "what has begun is finished")
				break
			}
			require.True(t, a.silent(), "%d %s", a.Code, a.Body)
		default:
			require.True(t, a.silent(), "%d %s", a.Code, a.Body)
			require.NotContains(t, h.tap.writes(), "Store.CreateGrant")
		}
		h.tap.do(nil)
		requireAgain(t, h, f, form, call)
	})
}

// requireAgain asserts that the client that comes back finds what it left.
func requireAgain(t *testing.T, h *house, f flow, form, call string) {
	t.Helper()
	a := h.as("first", form)
	if f.name == "code" && call == "Store.Spend" { // there is no second answer to a code
		requireError(t, a, 400, "invalid_grant")
		return
	}
	require.Equal(t, f.status, a.Code)
	if f.name == "refresh" && call == "Store.Spend" {
		requireTokens(t, h.as("first", byToken+a.refresh()))
	}
}

func TestReq027_CancelledOnArrival(t *testing.T) {
	t.Parallel()
	for _, f := range flows() {
		h := newHouse(t)
		form := f.prepare(h)
		h.tap.do(nil)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.True(t, h.send(request(form, h.basic("first")).WithContext(ctx)).silent())
		require.Empty(t, h.tap.writes())
		require.Empty(t, h.log.String(), "a sender that is gone is no fault")

		ctx, cancel = context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
		requireError(t, h.send(request(form, h.basic("first")).WithContext(ctx)), 503, "temporarily_unavailable")
		cancel()
		require.Empty(t, h.tap.writes())
	}
}

// The client is gone while its token is being spent. What it gets when it comes
// back is the successor that was stored.
func TestReq027_CancelledInsideSpend(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	token := requireTokens(t, h.as("first", byLogin)).refresh()
	ctx, cancel := context.WithCancel(t.Context())
	h.tap.do(func(call string) error {
		if call == "Store.Spend" {
			cancel()
		}
		return nil
	})
	lost := h.send(request(byToken+token, h.basic("first")).WithContext(ctx))
	h.tap.do(nil)
	again := requireTokens(t, h.as("first", byToken+token))
	require.Empty(t, h.tap.writes())
	require.Equal(t, lost.refresh(), again.refresh())
	requireTokens(t, h.as("first", byToken+again.refresh()))
}

// A store that did what it was told, and whose answer was lost on the way,
// some times.
type mumbling struct {
	oauth.Store

	times int
	cut   func() // what happens to the connection
}

func (m *mumbling) Spend(ctx context.Context, s oauth.Spend, issue ...oauth.Credential) (oauth.Spent, error) {
	spent, err := m.Store.Spend(ctx, s, issue...)
	if m.times--; m.times >= 0 {
		m.cut()
		return oauth.Spent{}, errors.Join(errBoom, err)
	}
	return spent, err
}

// The store is asked once more, with the same attempt. When that is no use,
// either, the client asks again.
func TestLostAnswerOfTheStore(t *testing.T) {
	t.Parallel()
	for _, window := range []time.Duration{0, -1} {
		h := newHouse(t)
		token := requireTokens(t, h.as("first", byLogin)).refresh()
		m := &mumbling{h.memory, 1, func() {}}
		var err error
		h.server, err = oauth.New(m, &h.clients, oauth.Config{Issuer: issuer, Prefix: "paym", Now: h.clock.now, ReplayWindow: window})
		require.NoError(t, err)
		a := requireTokens(t, h.as("first", byToken+token))
		_, err = h.server.Verify(t.Context(), a.access())
		require.NoError(t, err)
		m.times = 2
		requireError(t, h.as("first", byToken+a.refresh()), 503, "temporarily_unavailable")
		again := h.as("first", byToken+a.refresh())
		require.Equal(t, window == 0, again.Code == 200)
	}
}

// Nobody asks again when the grant was revoked in between, or when there is no
// more time.
func TestLostAnswerOfTheStoreWithoutASecondOne(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := requireTokens(t, h.as("first", byLogin))
	m := &mumbling{h.memory, 1, func() {
		_, err := h.memory.RevokeGrants(context.Background(), oauth.Filter{ClientID: "first"}, h.clock.now())
		require.NoError(t, err)
	}}
	var err error
	h.server, err = oauth.New(m, &h.clients, oauth.Config{Issuer: issuer, Prefix: "paym", Now: h.clock.now})
	require.NoError(t, err)
	b := h.as("first", byToken+a.refresh())
	if b.Code == 200 { // as the contract allows
		h.dead(b.access(), b.refresh())
	}
	h.dead(a.access(), a.refresh())
}

// A store that hangs is waited for, but not for ever.
type stuck struct{ oauth.Store }

func (stuck) Spend(ctx context.Context, _ oauth.Spend, _ ...oauth.Credential) (oauth.Spent, error) {
	<-ctx.Done()
	return oauth.Spent{}, ctx.Err()
}

func (stuck) CreateGrant(ctx context.Context, _ oauth.Grant, _ ...oauth.Credential) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestReq027_HangingStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		token := requireTokens(t, h.as("first", byLogin)).refresh()
		var err error
		h.server, err = oauth.New(stuck{h.memory}, &h.clients, oauth.Config{Issuer: issuer, Prefix: "paym", Now: h.clock.now})
		require.NoError(t, err)
		for _, form := range []string{byToken + token, byClient} {
			start := time.Now()
			requireError(t, h.as("first", form), 503, "temporarily_unavailable")
			require.Equal(t, 5*time.Second, time.Since(start))
		}
	})
}

// A liar returns something else than it was asked for.
type liar struct {
	oauth.Store

	change func(*oauth.Credential, *oauth.Grant)
}

func (l liar) Lookup(ctx context.Context, h oauth.Hash) (oauth.Credential, oauth.Grant, error) {
	c, g, err := l.Store.Lookup(ctx, h)
	l.change(&c, &g)
	return c, g, err
}

func TestLyingStore(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*oauth.Credential, *oauth.Grant){
		"nothing":                  func(c *oauth.Credential, g *oauth.Grant) { *c, *g = oauth.Credential{}, oauth.Grant{} },
		"another credential":       func(c *oauth.Credential, _ *oauth.Grant) { c.Hash[31]++ },
		"another grant":            func(_ *oauth.Credential, g *oauth.Grant) { g.ID = "x" },
		"another client":           func(c *oauth.Credential, _ *oauth.Grant) { c.ClientID = "other" },
		"no subject":               func(_ *oauth.Credential, g *oauth.Grant) { g.Subject = oauth.Subject{} },
		"a subject without a name": func(_ *oauth.Credential, g *oauth.Grant) { g.Subject.ID = "" },
	} {
		h := newHouse(t)
		a := requireTokens(t, h.as("first", byLogin))
		var err error
		h.server, err = oauth.New(liar{h.memory, change}, &h.clients, oauth.Config{Issuer: issuer, Prefix: "paym", Now: h.clock.now})
		require.NoError(t, err)
		_, err = h.server.Verify(t.Context(), a.access())
		require.Error(t, err)
		for _, known := range []error{oauth.ErrInvalid, oauth.ErrExpired, oauth.ErrRevoked, oauth.ErrNotFound} {
			require.NotErrorIs(t, err, known, name)
		}
		requireError(t, h.as("first", byToken+a.refresh()), 503, "temporarily_unavailable")
	}
}

func TestVerifyAndRevokeWithAFailingStore(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := requireTokens(t, h.as("first", byLogin))
	h.tap.do(fail("Store"))
	token, err := h.server.Verify(t.Context(), a.access())
	require.ErrorIs(t, err, errBoom)
	require.Zero(t, token)
	_, err = h.server.RevokeSubject(t.Context(), "u1")
	require.ErrorIs(t, err, errBoom)
}
