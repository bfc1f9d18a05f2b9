package oauth

import (
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/latchwork/latchwork/scope"
)

// Paths are where the endpoints are, below the issuer. The zero Paths are the
// defaults.
type Paths struct {
	Authorize  string // empty: /oauth/authorize; consent pages post to /decision below it
	Token      string // empty: /oauth/token
	Revoke     string // empty: /oauth/revoke
	Introspect string // empty: /oauth/introspect
}

// endpoints are the paths of all endpoints, with that of the issuer.
type endpoints struct {
	issuer                                         string // without a slash at its end
	authorize, decision, token, revoke, introspect string
}

// Routes returns every endpoint there is with its path, for a ServeMux or any
// other router:
//
//	for path, handler := range server.Routes() {
//		mux.Handle(path, handler)
//	}
func (s *Server) Routes() iter.Seq2[string, http.Handler] {
	return func(yield func(string, http.Handler) bool) {
		if s.store == nil {
			return
		}
		for _, route := range s.routes() {
			if !yield(route.path, route.handler) {
				return
			}
		}
	}
}

type route struct {
	path    string
	handler http.Handler
}

func (s *Server) routes() []route {
	routes := []route{
		{s.paths.token, s.TokenHandler()},
		{s.paths.revoke, s.RevokeHandler()},
		{s.paths.introspect, s.IntrospectHandler()},
		{wellKnownServer + s.paths.issuer, s.MetadataHandler()},
		{wellKnownResource + s.paths.issuer, s.ResourceMetadataHandler()},
	}
	for _, r := range s.cfg.Resources {
		routes = append(routes, route{wellKnownResource + r.Path, s.ResourceMetadataHandler()})
	}
	if s.cfg.Login != nil {
		routes = append(routes, route{s.paths.authorize, s.AuthorizeHandler()}, route{s.paths.decision, s.DecisionHandler()})
	}
	return routes
}

// configure checks and completes what concerns paths and pages.
func (s *Server) configure(cfg *Config) (faults []error) {
	if cfg.Login == nil && (cfg.LoginURL != "" || cfg.Consent != nil) {
		faults = append(faults, errors.New("LoginURL and Consent are of no use without Login"))
	}
	if cfg.Login != nil && (cfg.LoginURL == "" || cfg.Consent == nil) {
		faults = append(faults, errors.New("with Login, LoginURL and Consent are needed"))
	}
	faults = append(faults, checkLoginURL(cfg.LoginURL))
	cfg.CodeLifetime = or(cfg.CodeLifetime, time.Minute)
	if cfg.CodeLifetime < time.Second || cfg.CodeLifetime > 10*time.Minute {
		faults = append(faults, fmt.Errorf("CodeLifetime %v is not between a second and ten minutes", cfg.CodeLifetime))
	}
	cfg.Resources = slices.Clone(cfg.Resources)
	s.labels = map[string]scope.Permission{}
	for _, group := range cfg.Scopes.Groups() {
		for _, p := range group.Permissions {
			s.labels[p.Name] = p
		}
	}
	if issuer, err := url.Parse(cfg.Issuer); err == nil {
		s.origins = http.NewCrossOriginProtection()
		s.origin = strings.TrimSuffix(cfg.Issuer, issuer.Path)
		_ = s.origins.AddTrustedOrigin(s.origin) // if it is none, neither is the issuer
		faults = append(faults, s.place(cfg.Paths, issuer.Path)...)
		faults = append(faults, checkResources(cfg.Resources, issuer.Path)...)
	}
	return faults
}

// place sets the paths of all endpoints.
func (s *Server) place(paths Paths, issuer string) (faults []error) {
	s.paths = endpoints{issuer: issuer}
	taken := map[string]bool{}
	for _, p := range []struct {
		to              *string
		given, standard string
	}{
		{&s.paths.authorize, paths.Authorize, "/oauth/authorize"},
		{&s.paths.token, paths.Token, "/oauth/token"},
		{&s.paths.revoke, paths.Revoke, "/oauth/revoke"},
		{&s.paths.introspect, paths.Introspect, "/oauth/introspect"},
	} {
		below := p.given
		if below == "" {
			below = p.standard
		}
		if !isPath(below) || taken[below] || strings.HasPrefix(below, "/.well-known/") {
			faults = append(faults, fmt.Errorf("the path %.100q is malformed, stands twice or is taken", below))
		}
		taken[below] = true
		if p.to == &s.paths.authorize {
			s.paths.decision = issuer + below + "/decision"
			taken[below+"/decision"] = true
		}
		*p.to = issuer + below
	}
	return faults
}

// isPath reports whether s is a path that means the same to every router.
func isPath(s string) bool {
	return s != "/" && strings.HasPrefix(s, "/") && path.Clean(s) == s &&
		!strings.ContainsFunc(s, func(c rune) bool { return c != '/' && !isUnreserved(c) })
}

// checkLoginURL says what is wrong with Config.LoginURL.
func checkLoginURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return nil
	case err != nil || strings.Contains(text, "#") || strings.ContainsFunc(text, func(c rune) bool { return !isURIChar(c) }):
	case u.Scheme == "" && u.Host == "" && strings.HasPrefix(text, "/"):
		return nil
	case u.Scheme == "https" && isHost(u), u.Scheme == "http" && isHost(u) && isLoopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("LoginURL %.100q must be a path, or a URL that is https or on a loopback address", text)
}
