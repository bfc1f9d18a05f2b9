package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// from is the same host as another machine sees it.
func (h *host) from(addr string) *host {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(addr)}}
	transport := &http.Transport{DialContext: dialer.DialContext}
	h.t.Cleanup(transport.CloseIdleConnections)
	other := *h
	other.client = &http.Client{Transport: transport}
	return &other
}

func machine(i int) string { return "127.0.0." + strconv.Itoa(10+i) }

func requireLater(t *testing.T, a reply, longest time.Duration) {
	t.Helper()
	require.Equal(t, http.StatusTooManyRequests, a.status, a.raw)
	require.Equal(t, "too_many_requests", a.body["error"])
	wait, err := strconv.Atoi(a.header.Get("Retry-After"))
	require.NoError(t, err)
	require.Positive(t, wait)
	require.LessOrEqual(t, time.Duration(wait)*time.Second, longest)
}

func TestLoginBurst(t *testing.T) {
	for _, c := range []struct {
		args  []string
		burst int
	}{{nil, 5}, {[]string{"-login-burst", "2"}, 2}} {
		h := start(t, c.args...)
		home := h.from("127.0.0.2")
		home.login(h.user.Username, h.user.Password).tokens(t)
		for i := range c.burst {
			for _, name := range []string{h.user.Username, "nobody@example.com"} {
				require.Equal(t, http.StatusBadRequest, h.from(machine(i)).login(name, "wrong").status)
			}
		}
		for _, name := range []string{h.user.Username, "ADA@example.com", "nobody@example.com"} {
			requireLater(t, h.from(machine(9)).login(name, h.user.Password), 30*time.Second)
		}
		home.login(h.user.Username, h.user.Password).tokens(t)
	}
}

// One that waits as long as it was told gets in.
func TestRetryAfter(t *testing.T) {
	if testing.Short() {
		t.Skip("waits")
	}
	h := start(t)
	for range 20 {
		require.Equal(t, http.StatusUnauthorized, h.tokenAs(h.app.ID, "wrong", form("grant_type", "client_credentials")).status)
	}
	blocked := h.token(form("grant_type", "client_credentials"))
	requireLater(t, blocked, 3*time.Second)
	wait, _ := strconv.Atoi(blocked.header.Get("Retry-After"))
	time.Sleep(time.Duration(wait) * time.Second)
	require.Equal(t, http.StatusOK, h.token(form("grant_type", "client_credentials")).status)
}

func TestLoginBurstSwitchedOff(t *testing.T) {
	h := start(t, "-login-burst", "0")
	for range 30 {
		require.Equal(t, http.StatusBadRequest, h.login(h.user.Username, "wrong").status)
		require.Equal(t, http.StatusUnauthorized, h.tokenAs(h.app.ID, "wrong", form("grant_type", "client_credentials")).status)
	}
	h.login(h.user.Username, h.user.Password).tokens(t)
	require.ErrorContains(t, run(context.Background(), []string{"-login-burst", "-1"}, io.Discard, io.Discard), "negative")
}

func TestFailureBurst(t *testing.T) {
	for _, c := range []struct {
		args  []string
		burst int
	}{{nil, 20}, {[]string{"-failure-burst", "3"}, 3}} {
		h := start(t, c.args...)
		h.admin("GET", "users", nil).list(t)
		elsewhere := h.admin("POST", "api-keys", map[string]any{
			"name": "elsewhere", "type": "admin", "permissions": []string{"users.view"}, "allowed_ips": []string{"192.0.2.1"},
		})
		refused, _ := elsewhere.body["token"].(string)
		for i := range c.burst {
			if i%2 == 0 { // a refused address counts like a wrong key
				require.Equal(t, http.StatusForbidden, h.send(h.request("GET", "users", refused, nil)).status)
			} else {
				require.Equal(t, http.StatusUnauthorized, h.send(h.request("GET", "users", "wrong", nil)).status)
			}
		}
		for _, key := range []string{refused, "wrong", "paym_at_x"} {
			requireLater(t, h.send(h.request("GET", "users", key, nil)), 3*time.Second)
		}
		h.admin("GET", "users", nil).list(t) // its key was good here before
		require.Equal(t, http.StatusUnauthorized, h.from(machine(1)).send(h.request("GET", "users", "wrong", nil)).status)
	}
}

func TestFailureBurstSwitchedOff(t *testing.T) {
	h := start(t, "-failure-burst", "0")
	for range 50 {
		require.Equal(t, http.StatusUnauthorized, h.send(h.request("GET", "users", "wrong", nil)).status)
	}
	require.ErrorContains(t, run(context.Background(), []string{"-failure-burst", "-1"}, io.Discard, io.Discard), "negative")
}
