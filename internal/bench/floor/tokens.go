package floor

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"sync"
	"time"
)

// A Token is what is known about one access token.
type Token struct {
	ClientID  string
	Scope     string
	ExpiresAt time.Time
}

// Tokens are access tokens under the SHA-256 of their text. The zero Tokens is
// empty and ready.
type Tokens struct {
	mu     sync.Mutex
	issued map[[sha256.Size]byte]Token
}

// Issue makes a random token of 256 bits, stores its hash, and returns it.
func (t *Tokens) Issue(clientID, scope string, lifetime time.Duration) string {
	var secret [32]byte
	rand.Read(secret[:])
	token := "paym_at_" + base64.RawURLEncoding.EncodeToString(secret[:])
	sum := sha256.Sum256([]byte(token))
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.issued == nil {
		t.issued = map[[sha256.Size]byte]Token{}
	}
	t.issued[sum] = Token{ClientID: clientID, Scope: scope, ExpiresAt: time.Now().Add(lifetime)}
	return token
}
