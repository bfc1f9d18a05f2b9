package opendb

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMySQLConfig(t *testing.T) {
	t.Parallel()
	cfg, err := mysqlConfig("mysql://ada:p%40s%2Fs:%3Fw@db.example.com/billing?tls=true&timeout=7s")
	require.NoError(t, err)
	require.Equal(t, "db.example.com:3306", cfg.Addr)
	require.Equal(t, []string{"ada", "p@s/s:?w", "billing", "true"}, []string{cfg.User, cfg.Passwd, cfg.DBName, cfg.TLSConfig})
	require.Equal(t, 7*time.Second, cfg.Timeout)
	plain, err := mysqlConfig("mysql://root@127.0.0.1:3307/test")
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:3307", plain.Addr)
	require.Empty(t, plain.TLSConfig)
	_, err = mysqlConfig("mysql://root:secret@127.0.0.1/test?tls=nobody-knows")
	require.Error(t, err)
	require.NotContains(t, err.Error(), "secret")
}
