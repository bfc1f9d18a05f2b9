package oauth_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// What this Server does not offer is in no document, and asking for it has no
// effect beyond the answer: a silent mode, pushed requests, devices.
func TestReq128_130_133_191_WhatIsNotOffered(t *testing.T) {
	t.Parallel()
	h := newSite(t)
	_, document := h.document("GET", wellKnown)
	for _, member := range []string{
		"prompt_values_supported", "pushed_authorization_request_endpoint", "require_pushed_authorization_requests", "device_authorization_endpoint",
		"request_parameter_supported", "request_uri_parameter_supported", "jwks_uri", "registration_endpoint",
	} {
		require.NotContains(t, document, member)
	}
	// A prompt of none is no way past the question, nor past signing in.
	h.question("u1", asking().Encode()+"&prompt=none")
	a := h.authorize("", asking().Encode()+"&prompt=none")
	require.Equal(t, 303, a.Code)
	to, err := url.Parse(a.Header().Get("Location"))
	require.NoError(t, err)
	require.Equal(t, "/oauth/login", to.Path)

	h.tap.do(nil)
	for range 2 {
		h.refused(h.authorize("u1", asking("request_uri", "urn:ietf:params:oauth:request_uri:x").Encode()), "request_uri_not_supported", "a state")
	}
	for _, grant := range []string{
		"urn:ietf:params:oauth:grant-type:device_code&device_code=x", "urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=x", "implicit",
	} {
		requireError(t, h.as("first", "grant_type="+grant), 400, "unsupported_grant_type")
	}
	require.Empty(t, h.tap.writes())
}
