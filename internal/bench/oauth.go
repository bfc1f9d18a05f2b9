package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/latchwork/latchwork/internal/bench/fixture"
	"github.com/latchwork/latchwork/internal/bench/floor"
	"github.com/latchwork/latchwork/internal/bench/ratio"
	"github.com/latchwork/latchwork/oauth"
)

// tokenCount is how many tokens take turns.
const tokenCount = 1000

// tokenCases hold what verifying an access token costs, against the floor with
// as many tokens, the same ones: one that is looked up, and one that is cached.
// The latter is also held against a cached key.
func tokenCases() []ratio.Case {
	cached := func(c *oauth.Config) { c.CacheTTL, c.CacheSize = time.Hour, tokenCount }
	return []ratio.Case{tokenCase("a token"), tokenCase("a cached token", cached), likeKeyCase(cached)}
}

// likeKeyCase holds a cached token against a cached key with the same prefix, which
// expires, too, in caches of the same size.
func likeKeyCase(cached func(*oauth.Config)) ratio.Case {
	app, tokens := presentedTokens(cached)
	secrets := fixture.Secrets(tokenCount)
	manager := fixture.Manager(fixture.Store{ExpiresAt: time.Now().Add(24 * time.Hour)}, secrets)
	return ratio.Case{
		Name:  "oauth/verify a cached token, against a key",
		Limit: 1.1,
		Subject: func(n int) {
			for i := range n {
				token, err := app.Server.Verify(context.Background(), tokens[i%tokenCount])
				textSink, errSink = token.ID, err
			}
		},
		Reference: func(n int) {
			for i := range n {
				v, err := manager.Verify(context.Background(), secrets[i%tokenCount])
				textSink, errSink = v.Key().ID, err
			}
		},
	}
}

func tokenCase(name string, change ...func(*oauth.Config)) ratio.Case {
	app, tokens := presentedTokens(change...)
	keys := floor.NewKeys(floor.Key{ExpiresAt: time.Now().Add(24 * time.Hour)}, fixture.Shuffled(tokens)...)
	return ratio.Case{
		Name: "oauth/verify " + name, Limit: 1.3,
		Subject: verifying(app, tokens),
		Reference: func(n int) {
			for i := range n {
				keySink, allowed = keys.Verify(tokens[i%tokenCount])
			}
		},
	}
}

func verifying(app *fixture.App, tokens []string) func(n int) {
	return func(n int) {
		for i := range n {
			tokenSink, errSink = app.Server.Verify(context.Background(), tokens[i%tokenCount])
		}
	}
}

// presentedTokens returns a client with tokens that were verified once.
func presentedTokens(change ...func(*oauth.Config)) (*fixture.App, []string) {
	app := fixture.NewApp("able", change...)
	tokens := make([]string, tokenCount)
	for i := range tokens {
		tokens[i] = string(fixture.Member(app.Ask([]byte("grant_type=client_credentials&scope=profile")), "access_token"))
	}
	for i, joined := 0, strings.Join(tokens, ""); i < tokenCount; i++ { // one after the other, as fixture.Secrets are
		tokens[i], joined = joined[:len(tokens[i])], joined[len(tokens[i]):]
	}
	for _, token := range fixture.Shuffled(tokens) {
		fixture.Must(app.Server.Verify(context.Background(), token))
	}
	return app, tokens
}

// issueFigures hold what issuing costs, as a multiple of the floor. From the time
// that a token request takes, that of one is taken off which is refused last of
// all, because its client may not use the grant type. What is left are the grant
// and its credentials, the tokens, their hashes, the store, and the longer answer.
func issueFigures(o ratio.Options) []ratio.Figure {
	return []ratio.Figure{
		{Name: "oauth/issuing by `client_credentials`", Limit: 3, Measure: func() float64 {
			app := fixture.NewApp("able")
			body := []byte("grant_type=client_credentials&scope=profile")
			return multiple(o, func() { app.Ask(body) }, body)
		}},
		{Name: "oauth/a refresh", Limit: 5, Measure: func() float64 {
			app := fixture.NewApp("able")
			token := fixture.Member(app.Ask([]byte("grant_type=password&username=ada&password=x")), "refresh_token")
			body := append([]byte("grant_type=refresh_token&refresh_token="), token...)
			return multiple(o, func() {
				copy(body[len(body)-len(token):], fixture.Member(app.Ask(body), "refresh_token"))
			}, slices.Clone(body))
		}},
	}
}

// multiple returns how much more processor time than the floor the work takes,
// on average: what is stored makes work for the garbage collector, too.
func multiple(o ratio.Options, work func(), refused []byte) float64 {
	o.Clock = ratio.CPU
	unable, tokens := fixture.NewApp("unable"), new(floor.Tokens)
	took := ratio.Turns(o, times(work), times(func() { unable.Ask(refused) }), times(func() {
		textSink = tokens.Issue("able", "profile", 15*time.Minute)
	}))
	return (ratio.Mean(took[0]) - ratio.Mean(took[1])) / ratio.Mean(took[2])
}

func times(work func()) func(n int) {
	return func(n int) {
		for range n {
			work()
		}
	}
}

var (
	tokenSink oauth.Token
	textSink  string
)
