package oauth

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/latchwork/latchwork/scope"
)

const (
	maxClientName   = 255
	maxRedirectURIs = 32
)

// A ClientSpec is what a client is made of: everything that its registrar decides.
// The fields are those of Client.
type ClientSpec struct {
	Name           string // for people, 1 to 255 characters
	Public         bool   // cannot be changed afterwards
	AuthMethod     AuthMethod
	Grants         []GrantType
	Scopes         scope.Set
	DefaultScopes  scope.Set
	RedirectURIs   []string // needed for authorization_code, and by nothing else; see CheckRedirectURI
	FirstParty     bool
	ResourceServer bool

	AccessLifetime, RefreshIdle, RefreshAbsolute time.Duration
}

// Spec returns what the client is made of.
func (c Client) Spec() ClientSpec {
	return ClientSpec{
		Name: c.Name, Public: c.Public, AuthMethod: c.AuthMethod, Grants: c.Grants, Scopes: c.Scopes, DefaultScopes: c.DefaultScopes,
		RedirectURIs: c.RedirectURIs, FirstParty: c.FirstParty, ResourceServer: c.ResourceServer,
		AccessLifetime: c.AccessLifetime, RefreshIdle: c.RefreshIdle, RefreshAbsolute: c.RefreshAbsolute,
	}
}

// apply makes the client of what s says.
func (c *Client) apply(s ClientSpec) {
	c.Name, c.AuthMethod, c.Grants, c.Scopes, c.DefaultScopes = s.Name, s.AuthMethod, slices.Clone(s.Grants), s.Scopes, s.DefaultScopes
	c.RedirectURIs, c.FirstParty, c.ResourceServer = slices.Clone(s.RedirectURIs), s.FirstParty, s.ResourceServer
	c.AccessLifetime, c.RefreshIdle, c.RefreshAbsolute = s.AccessLifetime, s.RefreshIdle, s.RefreshAbsolute
}

// A SpecError says everything that is wrong with a ClientSpec.
type SpecError struct {
	Fields []FieldError
}

// A FieldError is one fault of one field, whose name is in snake_case. Reason may
// be shown to whoever sent the value.
type FieldError struct {
	Field, Reason string
}

// Error implements the error interface.
func (e *SpecError) Error() string {
	faults := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		faults[i] = f.Field + " " + f.Reason
	}
	return "oauth: " + strings.Join(faults, "; ")
}

// validate reports everything that is wrong with s and was not so before: a client
// that was made under older rules can still be renamed.
func (s ClientSpec) validate(catalog *scope.Catalog, before *ClientSpec) error {
	faults := s.faults(catalog)
	if before != nil {
		old := before.faults(catalog)
		faults = slices.DeleteFunc(faults, func(f FieldError) bool { return slices.Contains(old, f) })
	}
	if len(faults) == 0 {
		return nil
	}
	return &SpecError{faults}
}

// faults returns everything that is wrong with s, by field.
func (s ClientSpec) faults(catalog *scope.Catalog) (faults []FieldError) {
	wrong := func(when bool, field, reason string) {
		if when {
			faults = append(faults, FieldError{field, reason})
		}
	}
	wrong(!isName(s.Name), "name", "must be 1 to 255 characters that can be seen")
	wrong(!slices.Contains([]AuthMethod{"", AuthBasic, AuthPost}, s.AuthMethod), "auth_method", "must be client_secret_basic, client_secret_post or empty")
	wrong(s.Public && s.AuthMethod != "", "auth_method", "must be empty, because a public client has no secret")
	wrong(s.Public && s.ResourceServer, "resource_server", "must be a confidential client")
	s.validateGrants(wrong)
	s.validateScopes(wrong, catalog)
	s.validateRedirects(wrong)
	for field, lifetime := range map[string]time.Duration{
		"access_lifetime": s.AccessLifetime, "refresh_idle": s.RefreshIdle, "refresh_absolute": s.RefreshAbsolute,
	} {
		wrong(lifetime != 0 && lifetime < time.Second, field, "must not be shorter than a second")
	}
	slices.SortStableFunc(faults, func(a, b FieldError) int { return strings.Compare(a.Field, b.Field) })
	return faults
}

func (s ClientSpec) validateGrants(wrong func(when bool, field, reason string)) {
	known := []GrantType{GrantAuthorizationCode, GrantRefreshToken, GrantClientCredentials, GrantPassword}
	for i, g := range s.Grants {
		wrong(!slices.Contains(known, g), "grants", fmt.Sprintf("must not have %.40q, which is not known", string(g)))
		wrong(slices.Contains(s.Grants[:i], g), "grants", fmt.Sprintf("must not have %.40q twice", string(g)))
	}
	wrong(slices.Contains(s.Grants, GrantPassword) && !s.FirstParty, "grants", "must not have password, because the client is not a first party")
	wrong(slices.Contains(s.Grants, GrantClientCredentials) && s.Public, "grants", "must not have client_credentials, because the client is public")
}

func (s ClientSpec) validateScopes(wrong func(when bool, field, reason string), catalog *scope.Catalog) {
	wrong(s.Scopes.HasStars(), "scopes", "must not have a star")
	wrong(!s.Scopes.Covers(s.DefaultScopes) || s.DefaultScopes.HasStars(), "default_scopes", "must be among the scopes")
	for _, name := range s.Scopes.Strings() {
		if catalog == nil || strings.Contains(name, "*") || catalog.Has(name) {
			continue
		}
		reason := fmt.Sprintf("must not have %q, which is not known", name)
		if known, ok := catalog.Suggest(name); ok {
			reason += fmt.Sprintf(": did you mean %q?", known)
		}
		wrong(true, "scopes", reason)
	}
}

func (s ClientSpec) validateRedirects(wrong func(when bool, field, reason string)) {
	const field = "redirect_uris"
	needed := slices.Contains(s.Grants, GrantAuthorizationCode)
	wrong(needed && len(s.RedirectURIs) == 0, field, "must not be empty, because authorization_code needs one")
	wrong(!needed && len(s.RedirectURIs) > 0, field, "must be empty, because only authorization_code needs them")
	wrong(len(s.RedirectURIs) > maxRedirectURIs, field, fmt.Sprintf("must not be more than %d", maxRedirectURIs))
	for i, uri := range s.RedirectURIs {
		if err := CheckRedirectURI(uri); err != nil {
			wrong(true, field, fmt.Sprintf("must not have %.100q: it %s", uri, err))
		}
		wrong(slices.Contains(s.RedirectURIs[:i], uri), field, fmt.Sprintf("must not have %.100q twice", uri))
	}
}

// isName reports whether people can read a name as it is meant: there is
// something to see, and nothing that hides or turns around what is beside it.
func isName(name string) bool {
	odd := func(r rune) bool { return !unicode.IsPrint(r) }
	return utf8.ValidString(name) && strings.TrimSpace(name) != "" && utf8.RuneCountInString(name) <= maxClientName && !strings.ContainsFunc(name, odd)
}
