package oauthtest

import (
	"cmp"
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latchwork/latchwork/internal/credential"
	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/oauth/password"
	"github.com/latchwork/latchwork/scope"
)

// A Server is an [oauth.Server] that is ready for use, and what a test needs to
// get tokens from it. Make it with NewServer.
type Server struct {
	*oauth.Server

	// TokenURL is the token endpoint's, on a loopback port, until the test
	// ends. The others are beside it, as Routes has them.
	TokenURL string

	// ClientID and ClientSecret are of a first-party client. It may use every
	// grant type, and has all scopes of oauth.Config.Scopes, or "profile" if
	// there is no catalogue; by default, too.
	ClientID, ClientSecret string

	// Username and Password are what the user Subject signs in with. They are
	// empty if oauth.Config.Users was given.
	Username, Password, Subject string

	// Users is where to add others, or to disable that one. Nil if
	// oauth.Config.Users was given.
	Users *Users

	// Store is what the Server keeps everything in, in memory. It can be made
	// to fail. Token does not go through it.
	Store *Spy

	memory   *oauth.MemoryStore
	access   credential.Format
	lifetime time.Duration
	now      func() time.Time
	issued   atomic.Int64
}

// NewServer returns a Server with at most one configuration. What that leaves
// empty is filled in: an Issuer that fits the TokenURL, "test" for the Prefix,
// one user, and hashing that costs next to nothing. The password grant is
// always switched on. A bad configuration ends the test.
//
// It listens on a loopback port, and while it does, the time in a bubble of
// testing/synctest stands still: use a Clock.
func NewServer(t testing.TB, cfg ...oauth.Config) *Server {
	t.Helper()
	s := &Server{memory: oauth.NewMemoryStore(), ClientID: "first-party"}
	s.Store = NewSpy(s.memory)
	var c oauth.Config
	switch len(cfg) {
	case 0:
	case 1:
		c = cfg[0]
	default:
		t.Fatalf("oauthtest: new server: %d configurations, want at most one", len(cfg))
	}
	mux := http.NewServeMux()
	listener := httptest.NewServer(mux)
	t.Cleanup(listener.Close)
	if c.Issuer == "" {
		c.Issuer = listener.URL
	}
	c.Paths.Token = cmp.Or(c.Paths.Token, "/oauth/token")
	issuer, err := url.Parse(c.Issuer)
	if err != nil {
		t.Fatalf("oauthtest: new server: %v", err)
	}
	s.TokenURL = listener.URL + issuer.Path + c.Paths.Token
	if err := s.start(t.Context(), c); err != nil {
		t.Fatalf("oauthtest: new server: %v", err)
	}
	for path, handler := range s.Routes() {
		mux.Handle(path, handler)
	}
	return s
}

func (s *Server) start(ctx context.Context, cfg oauth.Config) (err error) {
	if cfg.Prefix == "" {
		cfg.Prefix = "test"
	}
	cfg.LegacyPasswordGrant = true
	if cfg.Passwords == nil {
		if cfg.Passwords, err = password.New(password.Config{Memory: 8, Iterations: 1}); err != nil {
			return err
		}
	}
	if cfg.Users == nil {
		s.Username, s.Password, s.Subject = "ada@example.com", "the password of a test", "ada"
		hash, err := cfg.Passwords.Hash(ctx, s.Password)
		if err != nil {
			return err
		}
		s.Users = new(Users)
		s.Users.Set(s.Username, oauth.User{Subject: s.Subject, PasswordHash: hash})
		cfg.Users = s.Users
	}
	client, err := s.client(cfg.Scopes)
	if err != nil {
		return err
	}
	if s.Server, err = oauth.New(s.Store, oauth.StaticClients{client}, cfg); err != nil {
		return err
	}
	s.now, s.lifetime = cfg.Now, cfg.AccessLifetime
	if s.now == nil {
		s.now = time.Now
	}
	if s.lifetime == 0 {
		s.lifetime = 15 * time.Minute
	}
	s.access, err = credential.New(cfg.Prefix + "_at")
	return err
}

// client returns the first-party client, which may have everything there is.
func (s *Server) client(catalog *scope.Catalog) (oauth.Client, error) {
	names := []string{"profile"}
	if catalog != nil {
		names = nil
		for _, group := range catalog.Groups() {
			for _, p := range group.Permissions {
				names = append(names, p.Name)
			}
		}
	}
	all, err := scope.ParseSet(names...)
	if err != nil {
		return oauth.Client{}, err
	}
	secret, stored := oauth.NewClientSecret()
	s.ClientSecret = secret.Reveal()
	return oauth.Client{
		ID: s.ClientID, Name: "The client of a test", Secrets: []oauth.ClientSecret{stored}, FirstParty: true,
		Grants: []oauth.GrantType{oauth.GrantPassword, oauth.GrantRefreshToken, oauth.GrantClientCredentials},
		Scopes: all, DefaultScopes: all,
	}, nil
}
