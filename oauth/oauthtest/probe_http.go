package oauthtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const (
	formType = "application/x-www-form-urlencoded"

	// A verifier and its challenge, from RFC 7636 appendix B.
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

	probeState = "a state/with+reserved&characters=%20"
)

// A probe is a Target that is being tried.
type probe struct {
	Target

	at       Endpoints
	metadata map[string]any
}

func newProbe(ctx context.Context, t Target) (*probe, error) {
	p := &probe{Target: t, at: t.Endpoints}
	if p.Client == nil {
		p.Client = &http.Client{Timeout: probeTimeout}
	}
	client := *p.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	p.Client = &client
	if p.Approve == nil {
		p.Approve = p.approve
	}
	issuer, err := url.Parse(t.Issuer)
	if err != nil || issuer.Host == "" {
		return nil, fmt.Errorf("oauthtest: the issuer %.100q is no URL", t.Issuer)
	}
	if a, err := p.get(ctx, p.wellKnown("oauth-authorization-server")); err == nil && a.status == http.StatusOK && a.body != nil {
		p.metadata = a.body
	}
	for field, to := range map[string]*string{
		"authorization_endpoint": &p.at.Authorize, "token_endpoint": &p.at.Token,
		"revocation_endpoint": &p.at.Revoke, "introspection_endpoint": &p.at.Introspect,
	} {
		if *to == "" {
			*to, _ = p.metadata[field].(string)
		}
	}
	if p.at.Token == "" {
		return nil, errors.New("oauthtest: neither the metadata nor Target.Endpoints has a token endpoint")
	}
	return p, nil
}

// wellKnown returns the URL of a document about the issuer, RFC 8414 section 3.1.
func (p *probe) wellKnown(name string) string {
	u, _ := url.Parse(p.Issuer)
	return u.Scheme + "://" + u.Host + "/.well-known/" + name + u.Path
}

// grants reports whether the server says, or may, have a grant type.
func (p *probe) grants(grant string) bool {
	listed, told := p.metadata["grant_types_supported"].([]any)
	return !told || slices.Contains(listed, any(grant))
}

// A reply is an answer that was read whole.
type reply struct {
	status int
	header http.Header
	raw    string
	body   map[string]any // of JSON
}

func (a reply) text(member string) string {
	s, _ := a.body[member].(string)
	return s
}

// is checks the status and, of an error, its code.
func (a reply) is(status int, code string) error {
	if a.status != status || (code != "" && a.text("error") != code) {
		return fmt.Errorf("answered %d %.40q, want %d %q", a.status, a.text("error"), status, code)
	}
	return nil
}

// issued checks that there are tokens.
func (a reply) issued() error {
	if a.status != http.StatusOK || a.text("access_token") == "" {
		return fmt.Errorf("answered %d %.40q, want tokens", a.status, a.text("error"))
	}
	return nil
}

// refused checks that there are none.
func (a reply) refused() error {
	if a.status < 400 || a.text("access_token") != "" {
		return fmt.Errorf("answered %d, want a refusal", a.status)
	}
	return nil
}

// has checks a header.
func (a reply) has(name, part string) error {
	if !strings.Contains(strings.ToLower(a.header.Get(name)), strings.ToLower(part)) {
		return fmt.Errorf("%s is %.80q, want %q in it", name, a.header.Get(name), part)
	}
	return nil
}

// A call is a request to be made.
type call struct {
	method, target string // empty: POST, the token endpoint
	contentType    string // empty: that of forms; "-": none
	body           string
	authorization  []string
}

func (p *probe) send(ctx context.Context, c call) (reply, error) {
	if c.method == "" {
		c.method = http.MethodPost
	}
	if c.target == "" {
		c.target = p.at.Token
	}
	r, err := http.NewRequestWithContext(ctx, c.method, c.target, strings.NewReader(c.body))
	if err != nil {
		return reply{}, err
	}
	switch {
	case c.contentType == "" && c.method == http.MethodPost:
		r.Header.Set("Content-Type", formType)
	case c.contentType != "" && c.contentType != "-":
		r.Header.Set("Content-Type", c.contentType)
	}
	for _, value := range c.authorization {
		r.Header.Add("Authorization", value)
	}
	return p.exchange(r)
}

func (p *probe) exchange(r *http.Request) (reply, error) {
	answered, err := p.Client.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = answered.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(answered.Body, 1<<20))
	if err != nil {
		return reply{}, err
	}
	a := reply{status: answered.StatusCode, header: answered.Header, raw: string(raw)}
	_ = json.Unmarshal(raw, &a.body) // a check that wants JSON sees that there is none
	return a, nil
}

func (p *probe) get(ctx context.Context, target string) (reply, error) {
	return p.send(ctx, call{method: http.MethodGet, target: target, contentType: "-"})
}

// form makes a body of pairs of names and values. Empty values are left out.
func form(pairs ...string) url.Values { return replaced(url.Values{}, pairs) }

// replaced sets pairs of names and values in a form. Empty values remove what is
// there.
func replaced(f url.Values, pairs []string) url.Values {
	for ; len(pairs) >= 2; pairs = pairs[2:] {
		f.Del(pairs[0])
		if pairs[1] != "" {
			f.Set(pairs[0], pairs[1])
		}
	}
	return f
}

// basic returns the value of an Authorization header, RFC 6749 section 2.3.1.
func basic(c TargetClient) string {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(url.QueryEscape(c.ID), url.QueryEscape(c.Secret))
	return r.Header.Get("Authorization")
}

// as sends a form to an endpoint, as a client that authenticates itself.
func (p *probe) as(ctx context.Context, c TargetClient, target string, f url.Values) (reply, error) {
	if c.Secret == "" {
		f.Set("client_id", c.ID)
		return p.send(ctx, call{target: target, body: f.Encode()})
	}
	return p.send(ctx, call{target: target, body: f.Encode(), authorization: []string{basic(c)}})
}

// authorizeURL is a good authorization request, but for what is replaced.
func (p *probe) authorizeURL(c TargetClient, instead ...string) string {
	f := form("response_type", "code", "client_id", c.ID, "redirect_uri", c.RedirectURI, "scope", p.Scope, "state", probeState,
		"code_challenge", challenge, "code_challenge_method", "S256")
	f = replaced(f, instead)
	separator := "?"
	if strings.Contains(p.at.Authorize, "?") {
		separator = "&"
	}
	return p.at.Authorize + separator + f.Encode()
}

// code has somebody approve, and returns the code.
func (p *probe) code(ctx context.Context, c TargetClient) (string, error) {
	answered, err := p.Approve(ctx, p.authorizeURL(c), true)
	if err != nil {
		return "", err
	}
	if code := answered.Query().Get("code"); code != "" {
		return code, nil
	}
	return "", fmt.Errorf("no code, but %.60q", answered.Query().Get("error"))
}

// redeem exchanges a code, but for what is replaced.
func (p *probe) redeem(ctx context.Context, c TargetClient, code string, instead ...string) (reply, error) {
	f := form("grant_type", "authorization_code", "code", code, "redirect_uri", c.RedirectURI, "code_verifier", verifier)
	return p.as(ctx, c, "", replaced(f, instead))
}

// tokens has somebody approve, and returns the answer with the tokens.
func (p *probe) tokens(ctx context.Context, c TargetClient) (reply, error) {
	code, err := p.code(ctx, c)
	if err != nil {
		return reply{}, err
	}
	a, err := p.redeem(ctx, c, code)
	if err == nil {
		err = a.issued()
	}
	return a, err
}
