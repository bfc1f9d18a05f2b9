// Package apikey issues, verifies and manages API keys: named, typed, with
// permissions, bound to addresses if wanted, shown once and stored as a hash.
//
// Start with [New], which puts a [Manager] in front of a [Store]:
//
//	m, err := apikey.New(apikey.NewMemoryStore(), apikey.Config{Prefix: "paym"})
//	issued, err := m.Create(ctx, apikey.Spec{Name: "CI", Type: "admin", Permissions: set})
//	fmt.Println(issued.Secret.Reveal()) // the only time it can be read
//	v, err := m.Verify(ctx, presented)
//
// In front of HTTP handlers, the package middleware does the verifying.
//
// # Format
//
// A key is its prefix, an underscore, 43 base62 characters (0-9A-Za-z,
// big-endian, zero-padded) that hold 32 random bytes, and 6 base62 characters
// that hold the CRC-32/IEEE of everything before them. The checksum lets typing
// errors and garbage be refused without asking a store; it is no security. A
// scanner finds keys with [Manager.ScannerExpression]. Vectors stand in
// testdata/keys.json.
//
// # What is stored
//
// A store receives SHA-256(key), or with a pepper
// HMAC-SHA-256(pepper, SHA-256(key)), and never the key. A slow password hash
// would add nothing: the secret has 256 bits. Because the pepper is applied to
// the hash, a database can be peppered later, and rows of other systems that
// hold SHA-256 can be imported, without seeing a single key.
//
// # How fresh a verified key is
//
// A Manager remembers the records that it has read, for Config.CacheTTL from
// the start of the read. Changes made through it are in effect when the call
// returns; those of others on the same store within CacheTTL, and with a [Feed]
// and [Manager.Watch] after about a second. Only the record is remembered:
// expiry, state, address and permissions are judged on every call. What is
// remembered lives to its time when the store is down; then verification fails.
//
// # Who may change what
//
// The Manager itself is the operator. Everybody else is an [Actor] with a
// [Ceiling], and acts through [Manager.As]: an actor cannot create, change,
// enable or rotate a key that has more than the ceiling holds. [Manager.ActorOf]
// makes a key an actor, with itself as the ceiling.
//
// # Security considerations
//
// Denials are errors, and the zero value of every type denies. An error that
// is none of this package's is a store in trouble and says nothing about the
// key: answer 503, never 401. A request that outlives a revocation, a stream
// for example, goes on: verify again where that matters.
package apikey
