package oauth

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/latchwork/latchwork/scope"
)

// A Resource is a part of the host's API that needs access tokens, and is
// described to clients, RFC 9728.
type Resource struct {
	// Path is the path of its URL: "/api/me". With a slash at its end, it is
	// also everything below, each URL being a resource by itself: "/api/".
	Path string

	Name   string    // for people; empty: none
	Scopes scope.Set // what can be needed there; empty: not said
}

// ResourceMetadataHandler returns the documents that describe Config.Resources,
// RFC 9728, each for the URL that it is about, and one for the base URL. They
// belong at /.well-known/oauth-protected-resource, with the path of the resource
// behind it.
func (s *Server) ResourceMetadataHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.writeDocument(w, r, s.resourceMetadata(r.URL))
	})
}

// ResourceMetadata returns the URL of the document about what a request is for,
// or nothing if that is none of Config.Resources. It is made for
// middleware.Config.
func (s *Server) ResourceMetadata(r *http.Request) string {
	if s.resource(r.URL.Path) == nil {
		return ""
	}
	return s.origin + wellKnownResource + r.URL.EscapedPath()
}

// A resourceMetadata is what such a document says, RFC 9728 section 2.
type resourceMetadata struct {
	Resource      string   `json:"resource"`
	Servers       []string `json:"authorization_servers"`
	Scopes        []string `json:"scopes_supported,omitempty"`
	BearerMethods []string `json:"bearer_methods_supported"`
	Name          string   `json:"resource_name,omitempty"`
}

// resourceMetadata returns the document at a URL, or nil.
func (s *Server) resourceMetadata(u *url.URL) any {
	m := resourceMetadata{Servers: []string{s.cfg.Issuer}, BearerMethods: []string{"header"}}
	path := strings.TrimPrefix(u.Path, wellKnownResource)
	if path == s.paths.issuer {
		m.Resource, m.Scopes = s.cfg.Issuer, s.scopeNames()
		return m
	}
	found := s.resource(path)
	if found == nil {
		return nil
	}
	m.Resource = s.origin + strings.TrimPrefix(u.EscapedPath(), wellKnownResource)
	m.Scopes, m.Name = found.Scopes.Strings(), found.Name
	return m
}

// resource returns the resource that a path belongs to, or nil: the one with
// the longest path.
func (s *Server) resource(path string) *Resource {
	var found *Resource
	for i, candidate := range s.cfg.Resources {
		subtree := strings.HasSuffix(candidate.Path, "/") && strings.HasPrefix(path, candidate.Path)
		if (subtree || path == candidate.Path) && (found == nil || len(candidate.Path) > len(found.Path)) {
			found = &s.cfg.Resources[i]
		}
	}
	return found
}

// checkResources says what is wrong with Config.Resources. The path of the issuer
// is taken.
func checkResources(resources []Resource, issuer string) (faults []error) {
	taken := map[string]bool{issuer: true}
	for _, r := range resources {
		exact := strings.TrimSuffix(r.Path, "/")
		if !strings.HasPrefix(r.Path, "/") || exact != "" && !isPath(exact) || taken[r.Path] || r.Scopes.HasStars() {
			faults = append(faults, fmt.Errorf("the resource %.100q has a malformed path or one that is taken, or scopes with a star", r.Path))
		}
		taken[r.Path] = true
	}
	return faults
}
