package oauth

import (
	"crypto/sha256"

	"github.com/latchwork/latchwork/internal/credential"
)

// derive makes a successor of a refresh token: whoever has the token, and the
// attempt that spent it, gets the same one again. The store has the attempt but
// not the token, and a thief of the token has not the attempt.
func derive(f credential.Format, token, label string, attempt Attempt) string {
	return f.Encode(hmacSHA256(token, label, attempt))
}

// successors are the tokens that come of a token and the attempt that spent it.
func (s *Server) successors(token string, attempt Attempt, grantID string) tokenResponse {
	answer := tokenResponse{
		AccessToken:  derive(s.access, token, "at", attempt),
		RefreshToken: derive(s.refresh, token, "rt", attempt),
	}
	if s.cfg.RefreshEndsAccess {
		answer.AccessToken = s.companion(answer.RefreshToken, grantID)
	}
	return answer
}

// companion is the access token that comes with a refresh token, of servers that
// have to find the one by the other. The refresh token alone does not yield it:
// it takes no secret of the client's.
func (s *Server) companion(refreshToken, grantID string) string {
	return derive(s.access, refreshToken, "at "+grantID, Attempt{})
}

// hmacSHA256 is HMAC-SHA-256, RFC 2104, of a label and an attempt. That of
// crypto/hmac makes ten allocations, which was a third of what a refresh costs.
func hmacSHA256(key, label string, attempt Attempt) [sha256.Size]byte {
	var inner, outer [sha256.BlockSize]byte
	if len(key) > len(inner) {
		sum := sha256.Sum256([]byte(key))
		key = string(sum[:])
	}
	copy(inner[:], key)
	for i, b := range inner {
		inner[i], outer[i] = b^0x36, b^0x5c
	}
	text := append(make([]byte, 0, 2*sha256.BlockSize), inner[:]...)
	text = append(append(text, label...), attempt[:]...)
	sum := sha256.Sum256(text)
	return sha256.Sum256(append(append(text[:0], outer[:]...), sum[:]...))
}
