package apikey_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
)

func TestVerifyAfterClose(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	before := h.issue(t)
	require.NoError(t, h.Close(t.Context()))
	require.NoError(t, h.Close(t.Context()), "again")
	after := h.issue(t)
	for _, issued := range []apikey.Issued{before, after} {
		h.opens(t, issued.Secret, issued.Key.ID)
	}
	require.NoError(t, h.Revoke(t.Context(), before.Key.ID, apikey.RevokeOptions{}))
	h.denies(t, before.Secret, apikey.ErrRevoked)
	require.NoError(t, new(apikey.Manager).Close(t.Context()), "the zero Manager")
}
