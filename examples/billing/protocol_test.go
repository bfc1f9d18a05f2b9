package main

import (
	"testing"

	"github.com/latchwork/latchwork/oauth/oauthtest"
)

// The whole service, from outside, against the requirements of the RFCs.
func TestProtocol(t *testing.T) {
	h := start(t)
	target := func(c client) oauthtest.TargetClient {
		return oauthtest.TargetClient{ID: c.ID, Secret: c.Secret, RedirectURI: c.RedirectURI}
	}
	oauthtest.TestProtocol(t, oauthtest.Target{
		Issuer: h.base, Machine: target(h.app), Web: target(h.web), Public: target(h.public),
		Username: h.user.Username, Password: h.user.Password, Scope: "profile", Resource: h.base + "/api/me",
	})
}
