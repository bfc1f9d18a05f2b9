package oauth

import (
	"crypto/hmac"
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHMACIsThatOfTheStandardLibrary(t *testing.T) {
	t.Parallel()
	for length := range 200 {
		key, attempt := strings.Repeat("k", length), Attempt{byte(length), 15: 0xff}
		for _, label := range []string{"", "at", "rt", strings.Repeat("a long label", 20)} {
			mac := hmac.New(sha256.New, []byte(key))
			mac.Write([]byte(label))
			mac.Write(attempt[:])
			sum := hmacSHA256(key, label, attempt)
			require.Equal(t, mac.Sum(nil), sum[:], "%d %q", length, label)
		}
	}
}

// An access token that comes with a refresh token takes more than that to find.
func TestCompanionIsOfOneGrant(t *testing.T) {
	t.Parallel()
	s := new(Server)
	require.NoError(t, s.formats("paym"))
	token := s.refresh.Generate()
	require.NotEqual(t, s.companion(token, "g1"), s.companion(token, "g2"))
	require.NotEqual(t, s.companion(token, "g1"), s.companion(s.refresh.Generate(), "g1"))
	require.True(t, s.access.Valid(s.companion(token, "g1")))
}
