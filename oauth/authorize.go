package oauth

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/latchwork/latchwork/scope"
)

const (
	maxAuthorization = 32 << 10 // of the parameters as they come
	maxState         = 512

	// lookBack is how many of a user's latest grants are looked at for one that
	// makes asking again unnecessary.
	lookBack = 100
)

// AuthorizeHandler returns the authorization endpoint, RFC 6749 section 3.1. It
// sends people who are not signed in to Config.LoginURL, and has the others
// asked by Config.Consent. What cannot be answered to the client safely is
// answered with a page of its own. Without Config.Login there is no such
// endpoint, and it answers 404.
//
// What is wrong with a request is answered to exactly the registered redirect
// URI and before anybody has signed in, RFC 6749 section 4.1.2.1, so that a
// client sees its faults without a session. RFC 9700 section 4.11.2 would have
// people sign in first.
func (s *Server) AuthorizeHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, twice, rejected := s.readAuthorization(w, r)
		if rejected != nil {
			s.writePage(w, r, rejected)
			return
		}
		req, rejected := s.authorization(r.Context(), f, twice)
		if rejected != nil {
			s.reject(w, r, req, rejected)
			return
		}
		s.ask(w, r, req)
	})
}

// readAuthorization reads the parameters of an authorization request.
func (s *Server) readAuthorization(w http.ResponseWriter, r *http.Request) (f form, twice []string, rejected *Error) {
	switch {
	case s.store == nil:
		return nil, nil, unavailable(errNotNew)
	case s.cfg.Login == nil:
		return nil, nil, &Error{Status: http.StatusNotFound, Code: "not_found", Description: "Nobody can be asked here."}
	case r.Method == http.MethodPost:
		f, twice, rejected = readBody(w, r)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return nil, nil, methodNotAllowed(http.MethodGet, http.MethodHead, http.MethodPost)
	case len(r.URL.RawQuery) > maxAuthorization:
		return nil, nil, invalidRequest("The parameters are too long.")
	default:
		f, twice, rejected = parseForm(r.URL.RawQuery)
	}
	if rejected == nil && len(f.authorization()) > maxAuthorization {
		rejected = invalidRequest("The parameters are too long.")
	}
	return f, twice, rejected
}

// authorization returns the parameters of an authorization request as a query.
func (f form) authorization() string {
	values := url.Values{}
	for _, name := range []string{
		"client_id", "redirect_uri", "response_type", "response_mode", "scope", "state",
		"code_challenge", "code_challenge_method", "request", "request_uri",
	} {
		if f[name] != "" {
			values.Set(name, f[name])
		}
	}
	return values.Encode()
}

// An authorization is a request that was found in order. Of one that was not,
// it has as much as is needed to answer the client, and no redirect URI if that
// is not safe.
type authorization struct {
	form     form
	client   Client
	redirect string // where to answer
	state    string
	scope    scope.Set
	basis    string // the grant that an approval rests on
}

// authorization judges a request. First of all comes where to answer.
func (s *Server) authorization(ctx context.Context, f form, twice []string) (authorization, *Error) {
	a := authorization{form: f}
	if slices.Contains(twice, "client_id") || slices.Contains(twice, "redirect_uri") {
		return a, invalidRequest("The application's link names two applications, or two places to return to.")
	}
	c, err := s.client(ctx, f["client_id"])
	if err != nil {
		return a, unavailable(err)
	}
	if c.ID == "" || c.Disabled {
		return a, &Error{Status: http.StatusBadRequest, Code: "invalid_client", Description: "The application is not known here."}
	}
	a.client, a.redirect = c, c.redirect(f["redirect_uri"])
	if a.redirect == "" {
		return a, invalidRequest("The application is not registered to return people to where its link says.")
	}
	if !slices.Contains(twice, "state") {
		a.state = f["state"]
	}
	if len(twice) > 0 {
		return a, invalidRequest("A parameter stands twice.")
	}
	if rejected := refuseAuthorization(f, c); rejected != nil {
		return a, rejected
	}
	var rejected *Error
	a.scope, rejected = s.requestedScope(f, c.Scopes, c.DefaultScopes)
	return a, rejected
}

// refuseAuthorization says what is wrong with a request that can be answered to
// the client, RFC 6749 section 4.1.2.1 and RFC 7636 section 4.4.1.
func refuseAuthorization(f form, c Client) *Error {
	refuse := func(code, description string) *Error {
		return &Error{Status: http.StatusBadRequest, Code: code, Description: description}
	}
	switch {
	case len(f["state"]) > maxState:
		return invalidRequest("state is longer than 512 bytes.")
	case f["request"] != "":
		return refuse("request_not_supported", "The parameter request is not supported.")
	case f["request_uri"] != "":
		return refuse("request_uri_not_supported", "The parameter request_uri is not supported.")
	case f["response_type"] == "":
		return invalidRequest("response_type is missing.")
	case f["response_type"] != "code":
		return refuse("unsupported_response_type", "The only response type is code.")
	case f["response_mode"] != "" && f["response_mode"] != "query":
		return invalidRequest("The only response mode is query.")
	case !c.may(GrantAuthorizationCode):
		return unauthorizedClient()
	case f["code_challenge"] == "":
		return invalidRequest("code_challenge is missing.")
	case f["code_challenge_method"] != "S256":
		return invalidRequest("code_challenge_method must be S256.")
	case !isChallenge(f["code_challenge"]):
		return invalidRequest("code_challenge must be 43 characters of base64url.")
	default:
		return nil
	}
}

func isChallenge(text string) bool {
	return len(text) == 43 && !strings.ContainsFunc(text, func(c rune) bool { return c == '.' || c == '~' || !isUnreserved(c) })
}

// ask finds out who is there, and has them asked.
func (s *Server) ask(w http.ResponseWriter, r *http.Request, a authorization) {
	subject, signedIn := s.cfg.Login(r)
	if !signedIn || subject == "" {
		s.redirect(w, s.signIn(a))
		return
	}
	rejected := s.mayDecide(r.Context(), subject)
	if rejected == nil {
		a.basis, rejected = s.remembered(r.Context(), subject, a)
	}
	switch {
	case rejected != nil:
		s.writePage(w, r, rejected)
	case a.basis != "":
		s.approve(w, r, subject, a)
	default:
		s.consent(w, r, subject, a)
	}
}

// signIn returns where people sign in, who then come back to this request.
func (s *Server) signIn(a authorization) string {
	next := s.paths.authorize + "?" + a.form.authorization()
	return answerAt(s.cfg.LoginURL, parameter{"next", next})
}

// mayDecide asks whether somebody who is signed in is still welcome.
func (s *Server) mayDecide(ctx context.Context, subject string) *Error {
	rejected := s.stillActive(ctx, Subject{Kind: SubjectUser, ID: subject})
	if rejected != nil && rejected.Status != http.StatusServiceUnavailable {
		return forbidden("This account cannot be used.", rejected.Err)
	}
	return rejected
}

// unmistakable reports whether nobody else can pretend to be the client: it has a
// secret, or what it is told goes to a host that is found by a name of its own,
// and proves it. Every machine has a localhost, and that of an address depends on
// where one is.
func (a *authorization) unmistakable() bool {
	if !a.client.Public {
		return true
	}
	u, err := url.Parse(a.redirect)
	if err != nil || u.Scheme != "https" || strings.Contains(u.Hostname(), ":") {
		return false
	}
	labels := strings.Split(strings.TrimSuffix(strings.ToLower(u.Hostname()), "."), ".")
	last := labels[len(labels)-1] // of an IPv4 address a number, however it is written
	return last != "" && last != "localhost" && (last[0] < '0' || last[0] > '9')
}

// remembered returns a grant by which the user has given the client what it asks
// for and has not taken it back since, or nothing. Of a client that somebody
// else could pretend to be, nothing is remembered: RFC 6749 section 10.2, RFC
// 8252 section 8.6.
func (s *Server) remembered(ctx context.Context, subject string, a authorization) (grantID string, rejected *Error) {
	if !s.cfg.RememberConsent || !a.unmistakable() {
		return "", nil
	}
	grants, err := s.store.Grants(ctx, Filter{
		Subject: Subject{Kind: SubjectUser, ID: subject}, ClientID: a.client.ID,
	}, Page{Limit: lookBack})
	if err != nil {
		return "", unavailable(err)
	}
	now := s.now()
	for _, g := range grants {
		if g.alive(now) == nil && g.ClientID == a.client.ID && g.Scope.Covers(a.scope) {
			return g.ID, nil
		}
	}
	return "", nil
}
