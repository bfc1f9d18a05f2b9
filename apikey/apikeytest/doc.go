// Package apikeytest proves that a store keeps the contracts of
// [apikey.Store], [apikey.Activity] and [apikey.Feed], and has fakes for the
// tests of services that use keys.
//
// Whoever writes a store runs [TestStore] on it:
//
//	func TestContract(t *testing.T) {
//		apikeytest.TestStore(t, func(t *testing.T) apikeytest.Backend {
//			store := open(t) // a fresh, empty one
//			return apikeytest.Backend{Store: store, Activity: store, Feed: store}
//		})
//	}
//
// Whoever uses keys makes a Manager with [NewManager] and keys with [Key], and
// finds in [Spy] a store that counts, fails and hangs on demand, and in
// [Clock] a clock that stands still.
package apikeytest
