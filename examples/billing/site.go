package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/oauth/consent"
)

const (
	loginPath = "/oauth/login"
	appsPath  = "/account/apps"
)

// A site is what users see in a browser: they sign in, say what an application
// may do, and take it back.
type site struct {
	sessions *scs.SessionManager
	pages    *consent.Pages
	db       *database
	origins  *http.CrossOriginProtection // of what the page of applications posts
}

func newSite(baseURL string, db *database) (*site, error) {
	s := &site{sessions: scs.New(), db: db}
	s.sessions.Store, s.sessions.HashTokenInStore = sessionStore{db}, true
	s.sessions.Cookie.Name = "billing_session"
	s.sessions.Cookie.Secure = strings.HasPrefix(baseURL, "https:")
	s.sessions.Lifetime, s.sessions.IdleTimeout = 12*time.Hour, time.Hour
	s.sessions.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) {
		slog.ErrorContext(r.Context(), "session", "error", err)
		s.pages.Error(w, r, &oauth.Error{Status: http.StatusServiceUnavailable, Description: "Try again later.", RetryAfter: time.Second})
	}
	base, err := url.Parse(baseURL)
	if err != nil || base.Path != "" {
		return nil, fmt.Errorf("-base-url %.100q: must be a URL without a path", baseURL)
	}
	s.pages, err = consent.New(consent.Config{
		Service: "Billing", Home: appsPath, Apps: appsPath, Name: s.name, Origin: baseURL, Logger: slog.Default(),
	})
	if err != nil {
		return nil, fmt.Errorf("-base-url: %w", err)
	}
	s.origins = http.NewCrossOriginProtection()
	if err := s.origins.AddTrustedOrigin(baseURL); err != nil { // whatever Host a proxy sends
		return nil, fmt.Errorf("-base-url: %w", err)
	}
	s.origins.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.pages.Error(w, r, &oauth.Error{Status: http.StatusForbidden, Description: "The form came from another page than ours."})
	}))
	return s, nil
}

// who returns the user who is signed in, if any. Somebody who was deleted is not.
func (s *site) who(r *http.Request) (subject string, signedIn bool, err error) {
	subject = s.sessions.GetString(r.Context(), "user")
	signedIn, err = s.db.Active(r.Context(), subject)
	return subject, signedIn, err
}

// login is who for the Server, which asks for itself whether the user is active:
// when that cannot be told, it answers 503.
func (s *site) login(r *http.Request) (subject string, signedIn bool) {
	subject, signedIn, err := s.who(r)
	return subject, signedIn || err != nil
}

// name returns what a user signs in with.
func (s *site) name(r *http.Request, subject string) string {
	found, err := s.db.get(r.Context(), "users", subject)
	if err != nil {
		slog.ErrorContext(r.Context(), "user", "error", err)
	}
	if len(found) > 0 {
		return fmt.Sprint(found[0].Attributes["email"])
	}
	return ""
}

// start begins a session, whose ID nobody can have known before.
func (s *site) start(_ http.ResponseWriter, r *http.Request, subject string) error {
	if err := s.sessions.RenewToken(r.Context()); err != nil {
		return err
	}
	s.sessions.Put(r.Context(), "user", subject)
	return nil
}

// mount puts the endpoints and pages where they belong. A session is loaded for
// those that people see.
func (s *site) mount(mux *http.ServeMux, tokens *oauth.Server) {
	for path, handler := range tokens.Routes() {
		if strings.HasPrefix(path, "/oauth/") {
			handler = s.sessions.LoadAndSave(handler)
		}
		mux.Handle(path, handler)
	}
	mux.Handle(loginPath, s.sessions.LoadAndSave(s.pages.SignIn(tokens, s.start)))
	mux.Handle(appsPath, s.sessions.LoadAndSave(s.origins.Handler(apps{s, tokens})))
}
