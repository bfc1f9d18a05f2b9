package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/lestrrat-go/jwx/v3/jwa"
	jwx "github.com/lestrrat-go/jwx/v3/jwt"
	"github.com/ory/fosite"

	"github.com/latchwork/latchwork/internal/bench/fixture"
	"github.com/latchwork/latchwork/internal/bench/floor"
)

// verifyTable has who presented a credential, of which there are a thousand.
func verifyTable() table {
	const n = 1000
	secrets := fixture.Secrets(n)
	manager := fixture.Manager(fixture.Store{}, secrets)
	keys := floor.NewKeys(floor.Key{}, fixture.Shuffled(secrets)...)
	server, ourTokens := oauthTokens(n)
	provider, fositeTokens := fositeTokens(n)
	goOAuth2, goOAuth2Tokens := goOAuth2Tokens(n)
	curve := fixture.Must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	shared, signed := signedTokens(n, jwt.SigningMethodHS256, signingKey), signedTokens(n, jwt.SigningMethodES256, curve)
	const stateless = "the token cannot be revoked"
	return table{job: "Who presented this credential? One of a thousand, in memory", brief: "a credential, one of a thousand", rows: []row{
		{who: "Latchwork `apikey.Manager.Verify`", work: each(secrets, func(s string) error {
			_, err := manager.Verify(context.Background(), s)
			return err
		})},
		{who: "Latchwork `oauth.Server.Verify`", yardstick: true, work: each(ourTokens, func(s string) error {
			_, err := server.Verify(context.Background(), s)
			return err
		})},
		{who: "by hand: SHA-256, map, comparison, expiry", yardstick: true, work: granting(secrets, func(s string) bool {
			_, ok := keys.Verify(s)
			return ok
		})},
		{who: "golang-jwt v5 HS256", brief: "golang-jwt HS256", lacks: stateless, work: parsed(shared, "HS256", signingKey)},
		{who: "golang-jwt v5 ES256", lacks: stateless, work: parsed(signed, "ES256", &curve.PublicKey)},
		{who: "lestrrat-go/jwx v3 HS256", lacks: stateless, work: each(shared, func(s string) error {
			_, err := jwx.ParseString(s, jwx.WithKey(jwa.HS256(), signingKey))
			return err
		})},
		{who: "fosite IntrospectToken, memory store", brief: "fosite introspection", work: each(fositeTokens, func(s string) error {
			_, _, err := provider.IntrospectToken(context.Background(), s, fosite.AccessToken, new(fosite.DefaultSession))
			return err
		})},
		{who: "go-oauth2 LoadAccessToken, memory store", brief: "go-oauth2 lookup", work: each(goOAuth2Tokens, func(s string) error {
			_, err := goOAuth2.LoadAccessToken(context.Background(), s)
			return err
		})},
	}}
}

// signedTokens returns n tokens of golang-jwt.
func signedTokens(n int, method jwt.SigningMethod, key any) []string {
	tokens := make([]string, n)
	for i := range tokens {
		tokens[i] = fixture.Must(jwt.NewWithClaims(method, jwt.MapClaims(claims(i))).SignedString(key))
	}
	return tokens
}

// parsed parses and verifies tokens with golang-jwt.
func parsed(tokens []string, method string, key any) func(n int) {
	parser := jwt.NewParser(jwt.WithValidMethods([]string{method}), jwt.WithTimeFunc(time.Now))
	return each(tokens, func(s string) error {
		_, err := parser.ParseWithClaims(s, new(jwt.RegisteredClaims), func(*jwt.Token) (any, error) { return key, nil })
		return err
	})
}
