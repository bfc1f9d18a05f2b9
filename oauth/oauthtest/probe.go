package oauthtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// A Target is a running authorization server, of whatever make, and what is
// needed to try it from outside. What it does not offer is skipped.
type Target struct {
	// Issuer is where the metadata of RFC 8414 is found. It is required.
	Issuer string

	// Endpoints are for a server without metadata. Empty ones are those that
	// the metadata has.
	Endpoints Endpoints

	// Machine is confidential and may use password, refresh_token and
	// client_credentials. Web is confidential, Public is not, and both may use
	// authorization_code and refresh_token. All of them have the Scope.
	Machine, Web, Public TargetClient

	// Username and Password are of somebody who can sign in.
	Username, Password string

	// Scope is one that exists: "profile".
	Scope string

	// Resource is the URL of something that needs a user's access token with
	// the Scope. Empty: there is nothing.
	Resource string

	// Approve signs in and approves or denies what an authorization URL asks
	// for, and returns where the browser was sent to in the end. Nil: by the
	// forms on the pages, of which one has a password input and the other two
	// buttons whose name is decision.
	Approve func(ctx context.Context, authorize string, approve bool) (*url.URL, error)

	// Client sends the requests. Nil: one with a timeout of ten seconds.
	Client *http.Client
}

// Endpoints are URLs.
type Endpoints struct {
	Authorize, Token, Revoke, Introspect string
}

// A TargetClient is a client of a Target. Without an ID there is none.
type TargetClient struct {
	ID, Secret  string
	RedirectURI string
}

// A Result is what came of one requirement.
type Result struct {
	Section string // "token endpoint"
	Number  int    // of the requirement; see CONTRIBUTING.md for what is numbered how
	Name    string
	Skipped string // why; empty: it was tried
	Err     error  // why it failed
}

// A Score counts the results of a section, or of all.
type Score struct {
	Section                 string
	Passed, Failed, Skipped int
}

// A Report has a Result for each requirement, in order.
type Report []Result

// Scores returns a Score for each section, and then one of all of them, whose
// Section is empty.
func (r Report) Scores() []Score {
	scores, all := []Score{}, Score{}
	for _, result := range r {
		if len(scores) == 0 || scores[len(scores)-1].Section != result.Section {
			scores = append(scores, Score{Section: result.Section})
		}
		for _, s := range []*Score{&scores[len(scores)-1], &all} {
			switch {
			case result.Skipped != "":
				s.Skipped++
			case result.Err != nil:
				s.Failed++
			default:
				s.Passed++
			}
		}
	}
	return append(scores, all)
}

// String returns a line for each section, for all of them, and for whatever
// failed.
func (r Report) String() string {
	var b strings.Builder
	for _, s := range r.Scores() {
		name := s.Section
		if name == "" {
			name = "all"
		}
		fmt.Fprintf(&b, "%-24s %3d of %3d", name, s.Passed, s.Passed+s.Failed)
		if s.Skipped > 0 {
			fmt.Fprintf(&b, ", %d not offered", s.Skipped)
		}
		b.WriteByte('\n')
	}
	for _, result := range r {
		if result.Err != nil {
			fmt.Fprintf(&b, "%03d %s: %v\n", result.Number, result.Name, result.Err)
		}
	}
	return b.String()
}

// Err joins the errors of everything that failed.
func (r Report) Err() error {
	var faults []error
	for _, result := range r {
		if result.Err != nil {
			faults = append(faults, fmt.Errorf("oauthtest: %03d %s: %w", result.Number, result.Name, result.Err))
		}
	}
	return errors.Join(faults...)
}

// CheckProtocol tries a server from outside against the requirements of the RFCs
// that can be seen from there, the strict reading where they leave a choice. It
// makes a few wrong guesses, which a server that limits them has to tolerate:
// four passwords of the user, and a dozen of the clients' secrets. It is an
// error if the Target cannot be tried at all.
func CheckProtocol(ctx context.Context, t Target) (Report, error) {
	p, err := newProbe(ctx, t)
	if err != nil {
		return nil, err
	}
	var report Report
	for _, c := range protocolChecks() {
		result := Result{Section: c.section, Number: c.number, Name: c.name, Skipped: p.lacks(c.needs)}
		if result.Skipped == "" {
			limited, cancel := context.WithTimeout(ctx, checkTimeout)
			result.Err = protect(func() error { return c.run(limited, p) })
			cancel()
		}
		report = append(report, result)
	}
	return report, ctx.Err()
}

// TestProtocol is CheckProtocol with a subtest for each requirement.
func TestProtocol(t *testing.T, target Target) {
	t.Helper()
	report, err := CheckProtocol(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	for _, result := range report {
		t.Run(fmt.Sprintf("%03d %s", result.Number, result.Name), func(t *testing.T) {
			switch {
			case result.Skipped != "":
				t.Skip(result.Skipped)
			case result.Err != nil:
				t.Error(result.Err)
			}
		})
	}
}

// A need is what a requirement cannot be tried without.
type need int

const (
	needPassword need = 1 << iota
	needMachine
	needCode
	needPublic
	needRevoke
	needIntrospect
	needMetadata
	needResource
)

// A protocolCheck tries one requirement.
type protocolCheck struct {
	section string
	number  int
	name    string
	needs   need
	run     func(context.Context, *probe) error
}

func protocolChecks() []protocolCheck {
	var all []protocolCheck
	for _, s := range []struct {
		section string
		checks  []protocolCheck
	}{
		{"token endpoint", transportChecks()},
		{"client authentication", clientAuthChecks()},
		{"password", passwordChecks()},
		{"authorization code", codeChecks()},
		{"client credentials", clientCredentialsChecks()},
		{"refresh", refreshChecks()},
		{"authorization endpoint", authorizeChecks()},
		{"revocation", revocationChecks()},
		{"introspection", introspectionChecks()},
		{"metadata", metadataChecks()},
		{"bearer", bearerChecks()},
	} {
		for _, c := range s.checks {
			c.section = s.section
			all = append(all, c)
		}
	}
	return all
}

// lacks says which of these needs the target cannot fulfil, or nothing.
func (p *probe) lacks(n need) string {
	for _, l := range []struct {
		need need
		has  bool
		what string
	}{
		{needPassword, p.Machine.ID != "" && p.Username != "" && p.grants("password"), "no password grant"},
		{needMachine, p.Machine.ID != "", "no client for client credentials"},
		{needCode, p.Web.ID != "" && p.at.Authorize != "", "no authorization endpoint"},
		{needPublic, p.Public.ID != "" && p.at.Authorize != "", "no public client"},
		{needRevoke, p.at.Revoke != "", "no revocation endpoint"},
		{needIntrospect, p.at.Introspect != "", "no introspection endpoint"},
		{needMetadata, p.metadata != nil, "no metadata"},
		{needResource, p.Resource != "", "no protected resource"},
	} {
		if n&l.need != 0 && !l.has {
			return l.what
		}
	}
	return ""
}

// probeTimeout is how long one request may take.
const probeTimeout = 10 * time.Second
