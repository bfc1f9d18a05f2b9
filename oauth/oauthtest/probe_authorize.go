package oauthtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// shown checks that a request is answered with a page, and nobody is sent
// anywhere.
func shown(instead ...string) func(context.Context, *probe) error {
	return func(ctx context.Context, p *probe) error {
		a, err := p.get(ctx, p.authorizeURL(p.Web, instead...))
		if err == nil && (a.status < 400 || a.status >= 500 || a.header.Get("Location") != "") {
			err = fmt.Errorf("answered %d, to %.100q, want a page that says no", a.status, a.header.Get("Location"))
		}
		return err
	}
}

// told checks that a request is answered to the client with an error, whether or
// not somebody has to sign in first.
func told(code string, instead ...string) func(context.Context, *probe) error {
	return func(ctx context.Context, p *probe) error {
		answered, err := p.Approve(ctx, p.authorizeURL(p.Web, instead...), true)
		if err != nil {
			return err
		}
		return p.said(answered, code)
	}
}

// said checks an authorization response: state and issuer stand beside the error,
// or the code.
func (p *probe) said(answered *url.URL, code string) error {
	values := answered.Query()
	switch {
	case !strings.HasPrefix(answered.String(), p.Web.RedirectURI):
		return fmt.Errorf("sent to %.100q", answered.String())
	case values.Get("error") != code || (code != "" && values.Get("code") != ""):
		return fmt.Errorf("answered %.60q, want %q", values.Get("error"), code)
	case values.Get("state") != probeState:
		return fmt.Errorf("the state is %.100q", values.Get("state"))
	default:
		return nil
	}
}

func authorizeChecks() []protocolCheck {
	return []protocolCheck{
		{number: 104, name: "PUT is not allowed", needs: needCode, run: func(ctx context.Context, p *probe) error {
			a, err := p.send(ctx, call{method: http.MethodPut, target: p.authorizeURL(p.Web)})
			if err != nil {
				return err
			}
			return errors.Join(a.is(http.StatusMethodNotAllowed, ""), a.has("Allow", "GET"))
		}},
		{number: 105, name: "an unknown client", needs: needCode, run: shown("client_id", "nobody-at-all")},
		{number: 105, name: "no client", needs: needCode, run: shown("client_id", "")},
		{number: 106, name: "a redirect URI of somebody else", needs: needCode, run: shown("redirect_uri", "https://evil.example/callback")},
		{number: 108, name: "a redirect URI that differs a little", needs: needCode, run: func(ctx context.Context, p *probe) error {
			u, err := url.Parse(p.Web.RedirectURI)
			if err != nil {
				return err
			}
			other := *u
			other.Host = "attacker" + u.Host
			for _, near := range []string{
				p.Web.RedirectURI + "/", p.Web.RedirectURI + "x", p.Web.RedirectURI + "?x=y", p.Web.RedirectURI + "#x", strings.ToUpper(p.Web.RedirectURI),
				strings.Replace(p.Web.RedirectURI, "://", "://evil.example@", 1), other.String(), strings.Replace(p.Web.RedirectURI, u.Path, "/x/.."+u.Path, 1),
			} {
				if err := shown("redirect_uri", near)(ctx, p); err != nil {
					return fmt.Errorf("%.100q: %w", near, err)
				}
			}
			return nil
		}},
		{number: 113, name: "no response_type", needs: needCode, run: told("invalid_request", "response_type", "")},
		{number: 113, name: "response_type token", needs: needCode, run: told("unsupported_response_type", "response_type", "token")},
		{number: 114, name: "a parameter twice", needs: needCode, run: func(ctx context.Context, p *probe) error {
			answered, err := p.Approve(ctx, p.authorizeURL(p.Web)+"&code_challenge="+challenge, true)
			if err != nil {
				return err
			}
			return p.said(answered, "invalid_request")
		}},
		{number: 115, name: "the state comes back as it went in", needs: needCode, run: told("")},
		{number: 116, name: "no challenge", needs: needCode, run: told("invalid_request", "code_challenge", "", "code_challenge_method", "")},
		{number: 117, name: "plain", needs: needCode, run: told("invalid_request", "code_challenge", verifier, "code_challenge_method", "plain")},
		{number: 117, name: "no method", needs: needCode, run: told("invalid_request", "code_challenge_method", "")},
		{number: 118, name: "a challenge that is none", needs: needCode, run: told("invalid_request", "code_challenge", "short")},
		{number: 119, name: "an unknown scope", needs: needCode, run: told("invalid_scope", "scope", "no-such-scope-at-all")},
		{number: 120, name: "the issuer in every answer", needs: needCode, run: func(ctx context.Context, p *probe) error {
			for _, instead := range [][]string{nil, {"scope", "no-such-scope-at-all"}} {
				answered, err := p.Approve(ctx, p.authorizeURL(p.Web, instead...), true)
				if err != nil {
					return err
				}
				if iss := answered.Query().Get("iss"); iss != p.Issuer {
					return fmt.Errorf("iss is %.100q, want %q", iss, p.Issuer)
				}
			}
			return nil
		}},
		{number: 121, name: "no", needs: needCode, run: func(ctx context.Context, p *probe) error {
			answered, err := p.Approve(ctx, p.authorizeURL(p.Web), false)
			if err != nil {
				return err
			}
			return p.said(answered, "access_denied")
		}},
		{number: 122, name: "redirects are 303, and nobody keeps them", needs: needCode, run: func(ctx context.Context, p *probe) error {
			a, err := p.get(ctx, p.authorizeURL(p.Web, "response_type", "token"))
			if err != nil {
				return err
			}
			return errors.Join(a.is(http.StatusSeeOther, ""), a.has("Cache-Control", "no-store"))
		}},
		{number: 125, name: "no page can be framed", needs: needCode, run: func(ctx context.Context, p *probe) error {
			a, err := p.get(ctx, p.authorizeURL(p.Web, "client_id", "nobody-at-all"))
			if err != nil {
				return err
			}
			return a.has("Content-Security-Policy", "frame-ancestors 'none'")
		}},
		{number: 126, name: "a page repeats nothing", needs: needCode, run: func(ctx context.Context, p *probe) error {
			a, err := p.get(ctx, p.authorizeURL(p.Web, "client_id", "<canary>", "error_description", "<canary>"))
			if err == nil && strings.Contains(a.raw, "<canary>") {
				err = errors.New("what was sent is in the page as it was sent")
			}
			return err
		}},
		{number: 132, name: "no CORS", needs: needCode, run: func(ctx context.Context, p *probe) error {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.authorizeURL(p.Web), nil)
			if err != nil {
				return err
			}
			r.Header.Set("Origin", "https://app.example")
			a, err := p.exchange(r)
			if err == nil && a.header.Get("Access-Control-Allow-Origin") != "" {
				err = errors.New("other origins may read it")
			}
			return err
		}},
	}
}

func metadataChecks() []protocolCheck {
	return []protocolCheck{
		{number: 160, name: "the issuer, to the byte", needs: needMetadata, run: func(_ context.Context, p *probe) error {
			if p.metadata["issuer"] != p.Issuer {
				return fmt.Errorf("issuer is %v, want %q", p.metadata["issuer"], p.Issuer)
			}
			return nil
		}},
		{number: 163, name: "what is required, and no empty lists", needs: needMetadata, run: func(_ context.Context, p *probe) error {
			for name, value := range p.metadata {
				if list, isList := value.([]any); isList && len(list) == 0 {
					return fmt.Errorf("%s is empty", name)
				}
			}
			if _, there := p.metadata["response_types_supported"]; !there {
				return errors.New("there is no response_types_supported")
			}
			return nil
		}},
		{number: 163, name: "S256 and nothing else", needs: needMetadata | needCode, run: func(_ context.Context, p *probe) error {
			methods, _ := p.metadata["code_challenge_methods_supported"].([]any)
			if !slices.Equal(methods, []any{"S256"}) {
				return fmt.Errorf("code_challenge_methods_supported is %v", methods)
			}
			return nil
		}},
		{number: 164, name: "answers name the issuer", needs: needMetadata | needCode, run: func(_ context.Context, p *probe) error {
			if p.metadata["authorization_response_iss_parameter_supported"] != true {
				return errors.New("authorization_response_iss_parameter_supported is not true")
			}
			return nil
		}},
		{number: 166, name: "everybody may read and keep it", needs: needMetadata, run: func(ctx context.Context, p *probe) error {
			a, err := p.get(ctx, p.wellKnown("oauth-authorization-server"))
			if err != nil {
				return err
			}
			return errors.Join(a.has("Cache-Control", "max-age"), a.has("Access-Control-Allow-Origin", "*"))
		}},
		{number: 167, name: "the resource has a document", needs: needResource, run: func(ctx context.Context, p *probe) error {
			u, err := url.Parse(p.Resource)
			if err != nil {
				return err
			}
			a, err := p.get(ctx, u.Scheme+"://"+u.Host+"/.well-known/oauth-protected-resource"+u.Path)
			if err != nil {
				return err
			}
			servers, _ := a.body["authorization_servers"].([]any)
			if a.text("resource") != p.Resource || !slices.Contains(servers, any(p.Issuer)) {
				return fmt.Errorf("answered %d: resource %q, authorization_servers %v", a.status, a.text("resource"), servers)
			}
			return nil
		}},
		{number: 168, name: "HEAD", needs: needMetadata, run: func(ctx context.Context, p *probe) error {
			a, err := p.send(ctx, call{method: http.MethodHead, target: p.wellKnown("oauth-authorization-server"), contentType: "-"})
			if err != nil {
				return err
			}
			return a.is(http.StatusOK, "")
		}},
	}
}
