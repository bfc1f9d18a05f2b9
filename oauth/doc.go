// Package oauth is an OAuth 2.0 authorization server to be embedded: it issues
// opaque access and refresh tokens, verifies them, and revokes them at once.
//
// Start with [New], which makes a [Server], and [Server.Routes], which has its
// endpoints; each is also a handler of its own, such as [Server.TokenHandler]:
//
//	store := oauth.NewMemoryStore()
//	clients, err := oauth.NewClients(oauth.NewMemoryClients(), store, oauth.ClientsConfig{})
//	server, err := oauth.New(store, clients, oauth.Config{
//		Issuer: "https://billing.example", Prefix: "paym",
//		Login: session.Subject, LoginURL: "/oauth/login", Consent: pages.Consent,
//	})
//	for path, handler := range server.Routes() {
//		mux.Handle(path, handler)
//	}
//	token, err := server.Verify(ctx, presented)
//
// In front of HTTP handlers, the package middleware does the verifying. Users let
// applications in at the authorization endpoint, which there is with
// Config.Login; the package consent has the pages for it.
//
// # Records
//
// A [Client] is configuration. A [Grant] is one authorization, and a
// [Credential] one secret that was issued for it. A credential is good only
// while its grant is not revoked, so that revocation is a single write which
// nothing issued later can escape. What may happen once is one verb of the
// [Store], Spend, with exactly one winner.
//
// # Refresh
//
// A refresh token is spent when it is used, and its successor is derived from
// it and from the attempt that spent it. A client that lost the answer presents
// the old token again and gets the very same successor, within
// Config.ReplayWindow and until the successor was used. Any other replay by the
// client revokes the grant. The access token that came with the old refresh token
// lives to its own expiry, since it may be in use, unless
// Config.RefreshEndsAccess ends it.
//
// # Codes
//
// An authorization code is bound to its client, its redirect URI and the PKCE
// challenge that every client has to send. Whoever has a code without its
// verifier can neither use it nor use it up. A code that its client presents a
// second time revokes the grant, at the same moment too: of any number of
// requests one gets tokens, and these are dead then.
//
// # Consent
//
// The ticket on a consent page is a credential, too: for one decision of one user
// about one request. Its grant has a [Subject] of a kind of its own, so that it is
// no access to anything. [Server.Applications] shows users what they have let in,
// and [Server.RevokeApplication] takes it back.
//
// # How fresh a verified token is
//
// [Server.Verify] reads the store every time, so that a revocation is in effect
// at once, whoever made it. With Config.CacheTTL it remembers what it read, for
// that long at most, from the start of the read on, and judges expiry on every
// call. What is revoked through this Server is dead when the call returns; what
// another one revokes, after Config.CacheTTL. A store that does not answer is
// never remembered, and one that answers with what was before a revocation made
// here is not believed for ten seconds, or twice that time if it is less.
//
// # In operation
//
// What has expired stays in the store until the host deletes it. Nothing does so
// by itself: call DeleteExpired of the store every few minutes, from one host or
// from all.
//
// # Security considerations
//
// A store receives hashes and never a token; neither the store alone nor an old
// token alone yields the successor. The password grant is off unless it is
// switched on for the server and for a first-party client. An error that is
// none of this package's is a store in trouble: answer 503, never 401.
//
// Wrong passwords and wrong client secrets are limited, see [Limits]: set
// Config.ClientAddr behind a proxy, or all of them come from one address. A page
// on which people sign in shares these limits by [Server.SignIn]. The limits
// are kept in memory: a restart forgets them, and several Servers tolerate as
// much each, unless they have a [Limiter] together.
package oauth
