package oauth

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/latchwork/latchwork/scope"
)

// ticketLifetime is how long a consent page may be looked at.
const ticketLifetime = 10 * time.Minute

// A Consent is what somebody is asked: whether an application may speak for
// them. The page that asks has a form that posts Ticket and a decision to
// Action, as "ticket" and "decision", which is "approve" or "deny". Nothing
// else of the form matters.
type Consent struct {
	Subject    string // who is asked
	ClientID   string
	ClientName string

	// Scopes are what the application gets, with their labels from
	// Config.Scopes. None: it learns who they are, and no more.
	Scopes []scope.Permission

	// RedirectURI is where they go afterwards, whatever they decide.
	RedirectURI string

	Action string // the path to post to
	Ticket Secret // good for one decision, for ten minutes
}

// consent has somebody asked.
func (s *Server) consent(w http.ResponseWriter, r *http.Request, subject string, a authorization) {
	ticket, err := s.newTicket(r.Context(), subject, a)
	if err != nil {
		s.writePage(w, r, unavailable(err))
		return
	}
	s.setPageHeader(w.Header())
	s.cfg.Consent(w, r, Consent{
		Subject: subject, ClientID: a.client.ID, ClientName: a.client.Name, Scopes: s.labelled(a.scope.Strings()),
		RedirectURI: a.redirect, Action: s.paths.decision, Ticket: NewSecret(ticket),
	})
}

// labelled returns scopes with what people call them.
func (s *Server) labelled(names []string) []scope.Permission {
	permissions := make([]scope.Permission, 0, len(names))
	for _, name := range names {
		p, known := s.labels[name]
		if !known {
			p = scope.Permission{Name: name, Label: name}
		}
		permissions = append(permissions, p)
	}
	return permissions
}

// newTicket stores a consent ticket, which is a secret followed by the request
// in clear. What is stored is the hash of both: a ticket whose request was
// changed is not known.
func (s *Server) newTicket(ctx context.Context, subject string, a authorization) (string, error) {
	ticket := s.ticket.Generate() + "." + base64.RawURLEncoding.EncodeToString([]byte(a.form.authorization()))
	g := s.newGrant(Subject{Kind: SubjectPending, ID: subject}, a.client, a.scope, ticketLifetime)
	c := newCredential(KindTicket, g, a.scope, ticket, g.CreatedAt, ticketLifetime)
	c.RedirectURI = a.redirect // even if the request names none
	return ticket, s.create(ctx, g, c)
}

// DecisionHandler returns where the consent page posts to. It refuses requests
// from other origins: see [http.CrossOriginProtection].
func (s *Server) DecisionHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, rejected := s.readDecision(w, r)
		if rejected != nil {
			s.writePage(w, r, rejected)
			return
		}
		subject, _ := s.cfg.Login(r)
		a, rejected := s.decide(r.Context(), subject, f["ticket"])
		switch {
		case rejected != nil:
			s.reject(w, r, a, rejected)
		case f["decision"] == "approve":
			s.approve(w, r, subject, a)
		default:
			s.announce(Event{Kind: EventDenied, ClientID: a.client.ID, Subject: Subject{Kind: SubjectUser, ID: subject}})
			s.reject(w, r, a, &Error{Status: http.StatusForbidden, Code: "access_denied", Description: "The user said no."})
		}
	})
}

// readDecision reads what a consent page posted.
func (s *Server) readDecision(w http.ResponseWriter, r *http.Request) (form, *Error) {
	switch {
	case s.store == nil:
		return nil, unavailable(errNotNew)
	case s.cfg.Login == nil:
		return nil, &Error{Status: http.StatusNotFound, Code: "not_found", Description: "Nobody can be asked here."}
	case r.Method != http.MethodPost:
		return nil, methodNotAllowed(http.MethodPost)
	}
	if err := s.origins.Check(r); err != nil {
		return nil, forbidden("The decision came from another page than ours.", err)
	}
	f, rejected := readForm(w, r)
	if rejected == nil && f["decision"] != "approve" && f["decision"] != "deny" {
		rejected = invalidRequest("The decision must be approve or deny.")
	}
	return f, rejected
}

// decide spends a ticket, and returns the request that it is for. The request
// is judged once more: the client may have lost something since.
func (s *Server) decide(ctx context.Context, subject, ticket string) (authorization, *Error) {
	held, f, rejected := s.presentedTicket(ctx, subject, ticket)
	if rejected != nil {
		return authorization{}, rejected
	}
	a, rejected := s.authorization(ctx, f, nil)
	if a.redirect != "" && a.redirect != held.RedirectURI {
		return authorization{}, staleTicket(errRedirect)
	}
	if rejected != nil {
		return a, rejected
	}
	if a.client.ID != held.ClientID || !held.Scope.Covers(a.scope) {
		return authorization{}, staleTicket(errAnother)
	}
	if rejected := s.mayDecide(ctx, subject); rejected != nil {
		return authorization{}, rejected
	}
	ctx, cancel, err := s.settled(ctx)
	if err != nil {
		return authorization{}, unavailable(err)
	}
	defer cancel()
	spent, err := s.spend(ctx, Spend{Hash: held.Hash, ClientID: held.ClientID, At: s.now(), Attempt: newAttempt()})
	switch {
	case isAnswer(err), err == nil && !spent.First:
		return authorization{}, staleTicket(err)
	case err != nil:
		return authorization{}, unavailable(err)
	}
	a.basis = held.GrantID
	return a, nil
}

// presentedTicket returns a ticket that is good, and the parameters of the
// request that it is for.
func (s *Server) presentedTicket(ctx context.Context, subject, ticket string) (Credential, form, *Error) {
	secret, encoded, _ := strings.Cut(ticket, ".")
	query, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if !s.ticket.Valid(secret) || err != nil || subject == "" {
		return Credential{}, nil, staleTicket(ErrInvalid)
	}
	held, g, err := s.lookup(ctx, ticket)
	if errors.Is(err, ErrNotFound) {
		return Credential{}, nil, staleTicket(err)
	}
	if err != nil {
		return Credential{}, nil, unavailable(err)
	}
	now := s.now()
	expected := Subject{Kind: SubjectPending, ID: subject}
	if held.Kind != KindTicket || g.Subject != expected || g.alive(now) != nil || !held.SpentAt.IsZero() || !now.Before(held.ExpiresAt) {
		return Credential{}, nil, staleTicket(ErrInvalid)
	}
	f, _, rejected := parseForm(string(query))
	return held, f, rejected
}

// staleTicket is the one answer to tickets that are no good, and to those of
// somebody else.
func staleTicket(cause error) *Error {
	return forbidden("This page was used already, is too old, or is for somebody else. Start again in the application.", cause)
}

// approve gives the client a code, which is all that a browser gets to see.
func (s *Server) approve(w http.ResponseWriter, r *http.Request, subject string, a authorization) {
	code := s.code.Generate()
	if rejected := s.grantCode(r.Context(), subject, a, code); rejected != nil {
		s.writePage(w, r, rejected)
		return
	}
	s.redirect(w, answerAt(a.redirect, parameter{"code", code}, parameter{"state", a.state}, parameter{"iss", s.cfg.Issuer}))
}

// grantCode stores what was approved, with the code for it.
func (s *Server) grantCode(ctx context.Context, subject string, a authorization, code string) *Error {
	lifetime := s.cfg.CodeLifetime + or(a.client.AccessLifetime, s.cfg.AccessLifetime)
	if a.client.may(GrantRefreshToken) {
		lifetime = or(a.client.RefreshAbsolute, s.cfg.RefreshAbsolute)
	}
	g := s.newGrant(Subject{Kind: SubjectUser, ID: subject}, a.client, a.scope, lifetime)
	c := newCredential(KindCode, g, g.Scope, code, g.CreatedAt, s.cfg.CodeLifetime)
	c.Challenge, c.RedirectURI = a.form["code_challenge"], a.form["redirect_uri"]
	if err := s.create(ctx, g, c); err != nil {
		return unavailable(err)
	}
	stands, err := s.stands(ctx, a.basis)
	if err != nil || !stands {
		err = errors.Join(err, s.revokeGrant(ctx, g.ID, g.Subject, g.CreatedAt))
	}
	switch {
	case err != nil:
		return unavailable(err)
	case !stands:
		return staleTicket(ErrRevoked)
	}
	s.announce(Event{Kind: EventApproved, ClientID: g.ClientID, Subject: g.Subject, GrantID: g.ID})
	return nil
}

// stands looks once more at the grant that an approval rests on, of the ticket or
// of the consent that is remembered, now that what was approved is stored. Who
// revokes everything of a user has either revoked that as well, or this before.
func (s *Server) stands(ctx context.Context, basis string) (bool, error) {
	ctx, cancel := settling(ctx)
	defer cancel()
	grants, err := s.store.Grants(ctx, Filter{GrantID: basis}, Page{Limit: 1})
	return len(grants) == 1 && grants[0].ID == basis && grants[0].RevokedAt.IsZero(), err
}
