package oauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"time"

	"github.com/latchwork/latchwork/internal/credential"
	"github.com/latchwork/latchwork/scope"
)

// A Server issues and verifies tokens. It is safe for concurrent use. The zero
// Server refuses everything.
type Server struct {
	store   Store
	memory  *MemoryStore // the store, if it is one: Lookup has to copy, a Server only looks
	clients ClientStore
	cfg     Config
	access  credential.Format
	refresh credential.Format
	code    credential.Format
	ticket  credential.Format

	origin  string // the issuer without its path
	paths   endpoints
	origins *http.CrossOriginProtection // of what consent pages post
	labels  map[string]scope.Permission // of scopes
	guesses *guesses                    // nil without limits, like secrets
	secrets *secrets
	cache   *tokenCache // nil without one
}

var errNotNew = errors.New("oauth: a Server that New did not make")

// New returns a Server, or everything that is wrong with the configuration.
func New(store Store, clients ClientStore, cfg Config) (*Server, error) {
	var faults []error
	fault := func(found ...error) {
		for _, err := range found {
			if err != nil {
				faults = append(faults, fmt.Errorf("oauth: %w", err))
			}
		}
	}
	if isNil(store) {
		fault(errors.New("the store is nil"))
	}
	if isNil(clients) {
		fault(errors.New("the client store is nil"))
	}
	fault(checkIssuer(cfg.Issuer))
	s := &Server{store: store, clients: clients}
	s.memory, _ = store.(*MemoryStore)
	if cfg.Prefix == "" {
		fault(errors.New("the prefix is empty"))
	} else {
		fault(s.formats(cfg.Prefix))
	}
	if cfg.LegacyPasswordGrant && (cfg.Users == nil || cfg.Passwords == nil) {
		fault(errors.New("LegacyPasswordGrant needs Users and Passwords"))
	}
	if (cfg.Users != nil && isNil(cfg.Users)) || (cfg.Passwords != nil && isNil(cfg.Passwords)) {
		fault(errors.New("Users or Passwords is a nil pointer"))
	}
	fault(s.configure(&cfg)...)
	cfg.AccessLifetime = or(cfg.AccessLifetime, 15*time.Minute)
	cfg.RefreshIdle = or(cfg.RefreshIdle, 14*24*time.Hour)
	cfg.RefreshAbsolute = or(cfg.RefreshAbsolute, 90*24*time.Hour)
	cfg.ReplayWindow = or(cfg.ReplayWindow, 10*time.Second)
	if cfg.AccessLifetime < time.Second || cfg.RefreshIdle < time.Second || cfg.RefreshAbsolute < time.Second {
		fault(errors.New("a lifetime is shorter than a second"))
	}
	if cfg.ReplayWindow > time.Minute {
		fault(fmt.Errorf("ReplayWindow %v is longer than a minute", cfg.ReplayWindow))
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	var odd []error
	s.cache, odd = newTokenCache(store, s.access, cfg)
	fault(odd...)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Limits = cfg.Limits.complete()
	fault(cfg.Limits.validate())
	with, err := newShared(cfg, s.limiterFailed)
	fault(err)
	s.cfg = cfg
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	if cfg.RevokedBy != nil && s.cache != nil {
		cfg.RevokedBy.tell(s.cache)
	}
	if !cfg.InsecureUnlimitedGuesses {
		s.secrets = newSecrets(cfg.Limits.ClientSecret)
		if cfg.Users != nil && cfg.Passwords != nil {
			s.guesses = newGuesses(cfg.Limits, entries, cfg.AccountName, with)
		}
	}
	return s, nil
}

func (s *Server) limiterFailed(ctx context.Context, err error) {
	s.cfg.Logger.ErrorContext(ctx, "oauth: the limiter failed", "error", err)
	s.announce(Event{Kind: EventLimiterFailed})
}

// formats sets what tokens look like. The suffixes have the same length: if one
// makes it too long, they all do.
func (s *Server) formats(prefix string) (err error) {
	if s.access, err = credential.New(prefix + "_at"); err == nil {
		s.refresh, err = credential.New(prefix + "_rt")
	}
	if err == nil {
		s.code, err = credential.New(prefix + "_ac")
	}
	if err == nil {
		s.ticket, err = credential.New(prefix + "_ct")
	}
	return err
}

// isNil reports whether there is nothing in an interface, or a pointer to
// nothing, which the first request would find out.
func isNil(v any) bool {
	r := reflect.ValueOf(v)
	return !r.IsValid() || (r.Kind() == reflect.Pointer && r.IsNil())
}

func or(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// now is the present as a store may see it.
func (s *Server) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Microsecond) }
