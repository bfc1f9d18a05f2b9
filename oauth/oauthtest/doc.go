// Package oauthtest proves that a store keeps the contract of [oauth.Store],
// [oauth.ClientRegistry] or [oauth.Limiter], and has a server and fakes for the
// tests of services that use tokens.
//
// Whoever protects handlers with access tokens makes them in one line:
//
//	server := oauthtest.NewServer(t)
//	token := oauthtest.Token(t, server, "ada", "profile")
//
// server.Server goes into middleware.Tokens. A [Clock] lets tokens expire, and
// server.Store fails and hangs on demand: it is a [Spy].
//
// Whoever writes a store runs [TestStore] on it:
//
//	func TestContract(t *testing.T) {
//		oauthtest.TestStore(t, func(t *testing.T) oauthtest.Backend {
//			return oauthtest.Backend{Store: open(t)} // a fresh, empty one
//		})
//	}
//
// Whoever keeps clients somewhere runs [TestClients], and whoever counts wrong
// passwords for several nodes runs [TestLimiter].
//
// Whoever runs a server, of whatever make, tries it from outside with
// [TestProtocol], or with [CheckProtocol], whose [Report] has a score for each
// section of the requirements.
package oauthtest
