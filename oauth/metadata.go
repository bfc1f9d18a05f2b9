package oauth

import (
	"encoding/json"
	"net/http"
	"slices"
)

const (
	wellKnownServer   = "/.well-known/oauth-authorization-server"
	wellKnownResource = "/.well-known/oauth-protected-resource"
)

// MetadataHandler returns the document that describes this server to clients,
// RFC 8414. It belongs at /.well-known/oauth-authorization-server, with the path
// of the issuer behind it.
func (s *Server) MetadataHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.writeDocument(w, r, s.metadata())
	})
}

// A metadata is what the metadata document says, RFC 8414 section 2. What is empty
// is left out.
type metadata struct {
	Issuer                string      `json:"issuer"`
	AuthorizationEndpoint string      `json:"authorization_endpoint,omitempty"`
	TokenEndpoint         string      `json:"token_endpoint"`
	RevocationEndpoint    string      `json:"revocation_endpoint"`
	IntrospectionEndpoint string      `json:"introspection_endpoint"`
	ScopesSupported       []string    `json:"scopes_supported,omitempty"`
	ResponseTypes         []string    `json:"response_types_supported"` // required, even where there is no such endpoint
	ResponseModes         []string    `json:"response_modes_supported,omitempty"`
	GrantTypes            []GrantType `json:"grant_types_supported"`
	TokenAuthMethods      []string    `json:"token_endpoint_auth_methods_supported"`
	RevocationAuthMethods []string    `json:"revocation_endpoint_auth_methods_supported"`
	IntrospectionMethods  []string    `json:"introspection_endpoint_auth_methods_supported"`
	CodeChallengeMethods  []string    `json:"code_challenge_methods_supported,omitempty"`
	AnswersWithIssuer     bool        `json:"authorization_response_iss_parameter_supported,omitempty"`
}

func (s *Server) metadata() any {
	confidential := []string{string(AuthBasic), string(AuthPost)}
	all := append(slices.Clone(confidential), "none")
	at := func(path string) string { return s.origin + path }
	m := metadata{
		Issuer: s.cfg.Issuer, TokenEndpoint: at(s.paths.token), RevocationEndpoint: at(s.paths.revoke), IntrospectionEndpoint: at(s.paths.introspect),
		ScopesSupported: s.scopeNames(), ResponseTypes: []string{"code"}, GrantTypes: []GrantType{GrantRefreshToken, GrantClientCredentials},
		TokenAuthMethods: all, RevocationAuthMethods: all, IntrospectionMethods: confidential,
	}
	if s.cfg.LegacyPasswordGrant {
		m.GrantTypes = append(m.GrantTypes, GrantPassword)
	}
	if s.cfg.Login != nil {
		m.AuthorizationEndpoint, m.AnswersWithIssuer = at(s.paths.authorize), true
		m.GrantTypes = append([]GrantType{GrantAuthorizationCode}, m.GrantTypes...)
		m.ResponseModes, m.CodeChallengeMethods = []string{"query"}, []string{"S256"}
	}
	return m
}

// scopeNames returns the scopes there are, as far as Config.Scopes knows.
func (s *Server) scopeNames() (names []string) {
	for _, group := range s.cfg.Scopes.Groups() {
		for _, p := range group.Permissions {
			names = append(names, p.Name)
		}
	}
	return names
}

// writeDocument answers with a document that everybody may read and keep, scripts
// of other sites included. Their browsers may ask first whether they may.
func (s *Server) writeDocument(w http.ResponseWriter, r *http.Request, document any) {
	switch {
	case s.store == nil:
		s.writeError(w, r, unavailable(errNotNew))
		return
	case isPreflight(r):
		writePreflight(w, r)
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		s.writeError(w, r, methodNotAllowed(http.MethodGet, http.MethodHead))
		return
	case document == nil:
		s.writeError(w, r, &Error{Status: http.StatusNotFound, Code: "not_found", Description: "There is nothing here."})
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "public, max-age=3600")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("X-Content-Type-Options", "nosniff")
	_ = json.NewEncoder(w).Encode(document) // the client is gone: nobody to tell
}

// isPreflight reports whether a browser asks what a script may send.
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

// writePreflight says that a script may read a document, with whatever headers:
// none of them means anything here.
func writePreflight(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Methods", "GET, HEAD")
	if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
		h.Set("Access-Control-Allow-Headers", asked)
		h.Set("Vary", "Access-Control-Request-Headers")
	}
	w.WriteHeader(http.StatusNoContent)
}
