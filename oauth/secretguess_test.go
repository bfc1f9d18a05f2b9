package oauth_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
)

func TestReq052_ClientAuthentication(t *testing.T) {
	limited(t, func(t *testing.T, h *house) {
		const here, there = "192.0.2.1", "192.0.2.2"
		inHeader := func(addr, id, secret string) answer { return h.at(addr, request(byClient, basic(id, secret))) }
		inBody := func(addr, id, secret string) answer {
			return h.at(addr, request(byClient+"&client_id="+id+"&client_secret="+secret))
		}
		for i := range 20 {
			for _, id := range []string{"first", "nobody"} {
				if i%2 == 0 {
					requireError(t, inHeader(here, id, "wrong"), 401, "invalid_client")
				} else {
					requireError(t, inBody(here, id, "another"), 401, "invalid_client")
				}
			}
		}
		h.tap.do(nil)
		blocked := inHeader(here, "first", "wrong")
		requireLater(t, blocked, 3*time.Second)
		requireSame(t, blocked, inBody(here, "first", "wrong"))
		requireSame(t, blocked, inBody(here, "nobody", "wrong"))
		requireSame(t, blocked, inHeader(here, "nobody", "wrong"))
		requireSame(t, blocked, inHeader(here, "first", h.secrets["first"]))
		require.Empty(t, h.tap.since("Clients", "Store"), "nothing is looked at")
		require.Equal(t, oauth.EventClientThrottled, h.kinds()[len(h.kinds())-1])

		requireTokens(t, inHeader(there, "first", h.secrets["first"]))
		requireTokens(t, inHeader(here, "other", h.secrets["other"]))
		requireError(t, inHeader(here, "other", "wrong"), 401, "invalid_client")

		time.Sleep(3*time.Second - time.Nanosecond)
		requireLater(t, inHeader(here, "first", h.secrets["first"]), time.Second)
		time.Sleep(time.Nanosecond)
		for range 100 {
			requireTokens(t, inHeader(here, "first", h.secrets["first"]))
		}
		requireError(t, inHeader(here, "first", "wrong"), 401, "invalid_client")
		requireLater(t, inHeader(here, "first", "wrong"), 3*time.Second)
	})
}

// A client that was at an address lately cannot be kept out by others there:
// only what is wrong is refused.
func TestReq052_ClientsAreSparedWhereTheyWereLately(t *testing.T) {
	limited(t, func(t *testing.T, h *house) {
		const here, there = "192.0.2.1", "192.0.2.2"
		from := func(addr, id, secret string) answer { return h.at(addr, request(byClient, basic(id, secret))) }
		secret := h.secrets["first"]
		requireTokens(t, from(here, "first", secret))
		for range 20 {
			for _, addr := range []string{here, there} {
				requireError(t, from(addr, "first", "wrong"), 401, "invalid_client")
			}
			requireError(t, from(here, "other", "wrong"), 401, "invalid_client")
		}
		for range 3 {
			blocked := from(here, "first", "wrong")
			requireLater(t, blocked, 3*time.Second)
			requireSame(t, blocked, from(there, "first", "wrong"))
			requireTokens(t, from(here, "first", secret))
		}
		requireLater(t, from(there, "first", secret), 3*time.Second)
		requireLater(t, from(here, "other", h.secrets["other"]), 3*time.Second)

		time.Sleep(30 * 24 * time.Hour)
		for range 20 {
			requireError(t, from(here, "first", "wrong"), 401, "invalid_client")
		}
		requireLater(t, from(here, "first", secret), 3*time.Second)
	})
}

// What holds no secret is no guess, and never throttled.
func TestReq052_WhatIsNoGuess(t *testing.T) {
	limited(t, func(t *testing.T, h *house) {
		for range 50 {
			for _, r := range []*http.Request{
				request(byClient), request(byClient, basic("app", "")), request(byClient, basic("first", "")), request(byClient, "Basic !"),
				request(byClient + "&client_id=first"), request(byClient + "&client_id=nobody"), request(byClient, "Bearer x"),
			} {
				requireError(t, h.send(r), 401, "invalid_client")
			}
		}
		requireTokens(t, h.as("first", byClient))
	})
}

func TestReq052_ManyAtOnce(t *testing.T) {
	limited(t, func(t *testing.T, h *house) {
		h.tap.do(func(string) error { time.Sleep(time.Second); return nil }) // all are let in before one is refused
		var wrong atomic.Int64
		together(100, func(int) {
			if h.post(byClient, basic("first", "wrong")).Code == 401 {
				wrong.Add(1)
			}
		})
		require.Equal(t, int64(20), wrong.Load())
	})
}
