package oauth

import (
	"net/netip"
	"time"
)

// An EventKind says what happened.
type EventKind string

// The kinds of events.
const (
	EventIssued       EventKind = "issued"        // tokens, for a new grant
	EventRefreshed    EventKind = "refreshed"     // tokens, for a grant that exists
	EventRefreshReuse EventKind = "refresh_reuse" // a spent refresh token came again; its grant is revoked
	EventApproved     EventKind = "approved"      // a user let a client have a grant, by a page or because they did before
	EventDenied       EventKind = "denied"        // a user said no on the consent page
	EventCodeRefused  EventKind = "code_refused"  // a code that came from another client, or without its verifier or redirect URI
	EventCodeReuse    EventKind = "code_reuse"    // a spent code came again; its grant is revoked
	EventRevoked      EventKind = "revoked"       // a token or a grant, by its client
	EventLoginFailed  EventKind = "login_failed"  // a wrong password, or an unknown or disabled user
	EventClientFailed EventKind = "client_failed" // a client that is not who it says

	EventLoginThrottled  EventKind = "login_throttled"  // too many wrong passwords, so that another was not looked at
	EventClientThrottled EventKind = "client_throttled" // too many wrong secrets
	EventLimiterFailed   EventKind = "limiter_failed"   // Config.Limiter did not answer
)

// An Event tells of something that somebody may want to look at. It holds no
// secret, and no name that was typed where a password might have been.
type Event struct {
	Kind     EventKind
	At       time.Time
	ClientID string // of a client that exists
	Subject  Subject
	GrantID  string

	// ClientAddr is where what failed or was throttled came from, as far as
	// that is known.
	ClientAddr netip.Addr
}

func (s *Server) announce(e Event) {
	if s.cfg.OnEvent != nil {
		e.At = s.now()
		s.cfg.OnEvent(e)
	}
}
