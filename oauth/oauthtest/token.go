package oauthtest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/latchwork/latchwork/internal/credential"
	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/scope"
)

// Token returns an access token that speaks for a user, within these scopes.
// It needs neither a password nor that s knows the user, and lives as long as
// any other token of s. It has a grant of its own; s.RevokeSubject ends it. A
// malformed scope and an empty subject end the test.
func Token(t testing.TB, s *Server, subject string, scopes ...string) string {
	t.Helper()
	if subject == "" {
		t.Fatalf("oauthtest: token: the subject is empty")
	}
	return s.issue(t, oauth.Subject{Kind: oauth.SubjectUser, ID: subject}, scopes)
}

// ClientToken returns an access token of the Server's client that speaks for
// nobody but the client, within these scopes. A malformed scope ends the test.
func ClientToken(t testing.TB, s *Server, scopes ...string) string {
	t.Helper()
	return s.issue(t, oauth.Subject{Kind: oauth.SubjectClient, ID: s.ClientID}, scopes)
}

// issue stores a grant with an access token, as the Server would.
func (s *Server) issue(t testing.TB, subject oauth.Subject, scopes []string) string {
	t.Helper()
	granted, err := scope.ParseScope(strings.Join(scopes, " "))
	if err != nil {
		t.Fatalf("oauthtest: token: %v", err)
	}
	token := s.access.Generate()
	now := s.now().UTC().Truncate(time.Microsecond)
	g := oauth.Grant{
		ID: grantID(now, s.issued.Add(1)), Subject: subject, ClientID: s.ClientID, Scope: granted,
		CreatedAt: now, ExpiresAt: now.Add(s.lifetime),
	}
	c := oauth.Credential{
		Hash: credential.Sum(token), Kind: oauth.KindAccess, GrantID: g.ID, ClientID: g.ClientID, Scope: g.Scope,
		CreatedAt: g.CreatedAt, ExpiresAt: g.ExpiresAt,
	}
	c.ID = fmt.Sprintf("%x", c.Hash[:8])
	if err := s.memory.CreateGrant(t.Context(), g, c); err != nil {
		t.Fatalf("oauthtest: token: %v", err)
	}
	return token
}

// grantID returns a version 7 UUID with a number where others have randomness,
// so that a later grant has a greater ID even within a millisecond.
func grantID(now time.Time, n int64) string {
	ms := now.UnixMilli()
	return fmt.Sprintf("%08x-%04x-7000-8000-%012x", ms>>16&0xffffffff, ms&0xffff, n)
}
