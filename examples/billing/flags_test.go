package main

import (
	"bytes"
	"context"
	"flag"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whoever mistypes a flag is told which one, in one line.
func TestFlags(t *testing.T) {
	t.Parallel()
	other, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, other.Close()) }()
	for says, args := range map[string][]string{
		"flag provided but not defined: -adr (-h lists the flags)":                         {"-adr", "127.0.0.1:0"},
		`invalid value "5" for flag -cache-ttl: parse error (-h lists the flags)`:          {"-cache-ttl", "5"},
		"-cache-ttl 0s: must be more than nothing":                                         {"-cache-ttl", "0s"},
		"there are no arguments, only flags":                                               {"billing.db"},
		"-addr: address localhost: missing port in address":                                {"-addr", "localhost"},
		"-addr: address 99999: invalid port":                                               {"-addr", "127.0.0.1:99999", "-db", "memory:"},
		"-addr: " + other.Addr().String() + " is in use":                                   {"-addr", other.Addr().String(), "-db", "memory:"},
		"-db: database redis://...: want postgres://, mysql:// or the path of a file":      {"-db", "redis://127.0.0.1"},
		`-base-url: oauth: issuer "ftp://x": must be https, or http on a loopback address`: {"-base-url", "ftp://x", "-db", "memory:"},
	} {
		var stdout, stderr bytes.Buffer
		require.EqualError(t, run(t.Context(), args, &stdout, &stderr), says)
		require.Empty(t, stdout.String()+stderr.String(), says)
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	require.ErrorIs(t, run(context.Background(), []string{"-h"}, &stdout, &stderr), flag.ErrHelp)
	require.Contains(t, stdout.String(), "-failure-burst")
	require.Empty(t, stderr.String())
}
