package oauth_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
)

// thephpleague/oauth2-server, CVE-2023-37260: a secret stood in an error text.
func TestCVE_2023_37260_SecretsPrintRedacted(t *testing.T) {
	t.Parallel()
	const text = "s3cr3t-material"
	secret := oauth.NewSecret(text)
	type holder struct {
		Name   string
		Secret oauth.Secret
		Ptr    *oauth.Secret
		hidden oauth.Secret
		list   []oauth.Secret
	}
	h := holder{"x", secret, &secret, secret, []oauth.Secret{secret}}

	var printed bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p", "%T", "%10.3s", "%U"} {
		for _, value := range []any{secret, &secret, h, &h, []oauth.Secret{secret}, map[string]oauth.Secret{"x": secret}, []any{secret}} {
			fmt.Fprintf(&printed, verb+"\n", value)
		}
	}
	fmt.Fprintln(&printed, secret, secret.String(), h, fmt.Errorf("of %v: %w", secret, errors.ErrUnsupported))
	for _, encode := range []func(any) ([]byte, error){json.Marshal, xml.Marshal} {
		for _, value := range []any{secret, &secret, h.Secret} {
			data, err := encode(value)
			require.NoError(t, err)
			printed.Write(data)
		}
	}
	require.Error(t, gob.NewEncoder(&printed).Encode(h.Secret))
	for _, handler := range []slog.Handler{
		slog.NewTextHandler(&printed, nil), slog.NewJSONHandler(&printed, nil),
	} {
		logger := slog.New(handler)
		logger.Info("x", "secret", secret, "ptr", &secret, "holder", h, "group", slog.GroupValue(slog.Any("s", secret)))
		logger.With("secret", secret).WithGroup("g").Info(fmt.Sprint(secret))
	}
	func() {
		defer func() { fmt.Fprint(&printed, recover()) }()
		panic(secret)
	}()

	require.NotContains(t, printed.String(), text)
	require.NotContains(t, printed.String(), fmt.Sprintf("%x", text))
	require.NotContains(t, printed.String(), fmt.Sprintf("%X", text))
	require.Contains(t, printed.String(), "[redacted]")
	require.Equal(t, text, secret.Reveal())
	require.Equal(t, "[redacted]", secret.String())
	require.Empty(t, oauth.Secret{}.Reveal())
	require.Equal(t, "[redacted]", fmt.Sprint(oauth.Secret{}))
}
