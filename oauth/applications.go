package oauth

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/latchwork/latchwork/scope"
)

// maxPage is how many grants are asked for at once.
const maxPage = 1000

// An Application is a client that may speak for a user, as that user sees it.
type Application struct {
	ClientID string
	Name     string // empty: the client is gone

	// Scopes are all that it may do, with their labels from Config.Scopes.
	Scopes []scope.Permission

	// FirstGranted and LastGranted are when it was given access, which happens
	// more than once: whenever somebody signs in to it, for example.
	FirstGranted, LastGranted time.Time
}

// Applications returns the clients that have access to what is a user's, first
// those that were given it last. Access that was revoked or has expired is none,
// nor is a question that nobody has answered yet.
func (s *Server) Applications(ctx context.Context, subject string) ([]Application, error) {
	grants, err := s.liveGrants(ctx, subject)
	if err != nil {
		return nil, err
	}
	applications := []Application{}
	for len(grants) > 0 {
		id := grants[0].ClientID
		a := Application{ClientID: id, LastGranted: grants[0].CreatedAt}
		var names []string
		grants = slices.DeleteFunc(grants, func(g Grant) bool {
			if g.ClientID == id {
				names = append(names, g.Scope.Strings()...)
				a.FirstGranted = g.CreatedAt
			}
			return g.ClientID == id
		})
		slices.Sort(names)
		a.Scopes = s.labelled(slices.Compact(names))
		c, err := s.client(ctx, id)
		if err != nil {
			return nil, err
		}
		a.Name = c.Name
		applications = append(applications, a)
	}
	return applications, nil
}

// liveGrants returns the grants of a user that are neither revoked nor expired,
// the newest first.
func (s *Server) liveGrants(ctx context.Context, subject string) (live []Grant, err error) {
	switch {
	case s.store == nil:
		return nil, errNotNew
	case subject == "":
		return nil, ErrNotFound
	}
	now := s.now()
	f := Filter{Subject: Subject{Kind: SubjectUser, ID: subject}}
	for page := (Page{Limit: maxPage}); ; {
		grants, err := s.store.Grants(ctx, f, page)
		if err != nil {
			return nil, err
		}
		for _, g := range grants {
			if f.Matches(g) && g.alive(now) == nil {
				live = append(live, g)
			}
		}
		if len(grants) < maxPage {
			return live, nil
		}
		page.Before = grants[len(grants)-1].ID
	}
}

// RevokeSubject revokes everything that was ever granted to a user, and
// returns how many grants that were: "log out everywhere", and what to call
// after a password was changed or an account closed. In that order nobody who
// signs in or approves at the same time, with what was valid before, is left
// with a token.
func (s *Server) RevokeSubject(ctx context.Context, subject string) (int, error) {
	return s.revokeUser(ctx, subject, "")
}

// RevokeApplication takes the access to what is a user's away from one client,
// and returns how many grants that were. ErrNotFound: one of the two is empty.
func (s *Server) RevokeApplication(ctx context.Context, subject, clientID string) (int, error) {
	if clientID == "" {
		return 0, ErrNotFound
	}
	return s.revokeUser(ctx, subject, clientID)
}

// revokeUser revokes the grants of a user to a client, or to all.
func (s *Server) revokeUser(ctx context.Context, subject, clientID string) (int, error) {
	switch {
	case subject == "":
		return 0, ErrNotFound
	case s.store == nil:
		return 0, errNotNew
	}
	// What waits for an answer goes first: see Server.stands.
	now := s.now()
	revoke := func(kind SubjectKind) (int, error) {
		whose := Subject{Kind: kind, ID: subject}
		return s.revokeGrants(ctx, Filter{Subject: whose, ClientID: clientID}, whose, now)
	}
	_, pending := revoke(SubjectPending)
	n, err := revoke(SubjectUser)
	return n, errors.Join(pending, err)
}
