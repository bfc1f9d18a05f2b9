package oauthtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// withTokens hands new tokens of the web client to a check.
func withTokens(run func(ctx context.Context, p *probe, tokens reply) error) func(context.Context, *probe) error {
	return func(ctx context.Context, p *probe) error {
		tokens, err := p.tokens(ctx, p.Web)
		if err != nil {
			return err
		}
		return run(ctx, p, tokens)
	}
}

func revocationChecks() []protocolCheck {
	const needs = needRevoke | needCode
	// revoked revokes a token and expects that to be answered as it has to be.
	revoked := func(ctx context.Context, p *probe, token string, more ...string) error {
		a, err := p.as(ctx, p.Web, p.at.Revoke, form(append([]string{"token", token}, more...)...))
		if err == nil {
			err = a.is(http.StatusOK, "")
		}
		return err
	}
	return []protocolCheck{
		{number: 134, name: "the answer is JSON", needs: needs, run: withTokens(func(ctx context.Context, p *probe, tokens reply) error {
			a, err := p.as(ctx, p.Web, p.at.Revoke, form("token", tokens.text("access_token")))
			if err == nil && a.body == nil {
				err = fmt.Errorf("the body is %.60q", a.raw)
			}
			if err != nil {
				return err
			}
			return errors.Join(a.is(http.StatusOK, ""), a.has("Content-Type", "application/json"), a.has("Cache-Control", "no-store"))
		})},
		{number: 135, name: "an unknown token", needs: needs, run: func(ctx context.Context, p *probe) error { return revoked(ctx, p, "garbage") }},
		{number: 136, name: "no token", needs: needs, run: expect(400, "invalid_request", func(ctx context.Context, p *probe) (reply, error) {
			return p.as(ctx, p.Web, p.at.Revoke, form())
		})},
		{number: 137, name: "a hint that is wrong", needs: needs, run: withTokens(func(ctx context.Context, p *probe, tokens reply) error {
			if err := revoked(ctx, p, tokens.text("refresh_token"), "token_type_hint", "access_token"); err != nil {
				return err
			}
			return p.dies(ctx, p.Web, tokens)
		})},
		{number: 138, name: "a hint that is unknown", needs: needs, run: withTokens(func(ctx context.Context, p *probe, tokens reply) error {
			if err := revoked(ctx, p, tokens.text("refresh_token"), "token_type_hint", "nonsense"); err != nil {
				return err
			}
			return p.dies(ctx, p.Web, tokens)
		})},
		{number: 139, name: "another client's token", needs: needs | needPublic, run: withTokens(func(ctx context.Context, p *probe, tokens reply) error {
			for _, token := range []string{tokens.text("access_token"), tokens.text("refresh_token")} {
				if _, err := p.as(ctx, TargetClient{ID: p.Public.ID}, p.at.Revoke, form("token", token)); err != nil {
					return err
				}
			}
			if lives, err := p.lives(ctx, p.Web, tokens); err != nil || !lives {
				return errors.Join(err, errors.New("it is revoked"))
			}
			return nil
		})},
		{number: 140, name: "a refresh token takes its access tokens along", needs: needs, run: withTokens(func(ctx context.Context, p *probe, tokens reply) error {
			if err := revoked(ctx, p, tokens.text("refresh_token")); err != nil {
				return err
			}
			return p.dies(ctx, p.Web, tokens)
		})},
		{number: 142, name: "a wrong secret", needs: needs, run: func(ctx context.Context, p *probe) error {
			a, err := p.as(ctx, TargetClient{ID: p.Web.ID, Secret: "wrong"}, p.at.Revoke, form("token", "x"))
			if err != nil {
				return err
			}
			return errors.Join(a.is(http.StatusUnauthorized, "invalid_client"), a.has("WWW-Authenticate", "Basic"))
		}},
		{number: 144, name: "GET is not allowed", needs: needs, run: expect(405, "", func(ctx context.Context, p *probe) (reply, error) {
			return p.get(ctx, p.at.Revoke)
		})},
		{number: 146, name: "token twice", needs: needs, run: expect(400, "invalid_request", func(ctx context.Context, p *probe) (reply, error) {
			return p.send(ctx, call{target: p.at.Revoke, body: "token=a&token=b", authorization: []string{basic(p.Web)}})
		})},
	}
}

func introspectionChecks() []protocolCheck {
	const needs = needIntrospect | needCode
	ask := func(ctx context.Context, p *probe, c TargetClient, token string) (reply, error) {
		return p.as(ctx, c, p.at.Introspect, form("token", token))
	}
	return []protocolCheck{
		{number: 148, name: "nobody", needs: needs, run: func(ctx context.Context, p *probe) error {
			a, err := p.send(ctx, call{target: p.at.Introspect, body: "token=x"})
			if err == nil && a.header.Get("WWW-Authenticate") == "" {
				err = errors.New("there is no challenge")
			}
			if err != nil {
				return err
			}
			return a.is(http.StatusUnauthorized, "")
		}},
		{number: 149, name: "a stranger learns nothing", needs: needs | needPublic, run: withTokens(func(ctx context.Context, p *probe, tokens reply) error {
			a, err := ask(ctx, p, TargetClient{ID: p.Public.ID}, tokens.text("access_token"))
			if err == nil && (a.body["active"] == true || len(a.body) > 2) {
				err = fmt.Errorf("a public client is told %.200q", a.raw)
			}
			return err
		})},
		{number: 150, name: "an active token", needs: needs, run: withTokens(func(ctx context.Context, p *probe, tokens reply) error {
			a, err := ask(ctx, p, p.Web, tokens.text("access_token"))
			if err != nil {
				return err
			}
			if a.body["active"] != true || a.text("client_id") != p.Web.ID || !strings.Contains(a.text("scope"), p.Scope) || a.text("sub") == "" {
				return fmt.Errorf("answered %d %.300q", a.status, a.raw)
			}
			return a.has("Cache-Control", "no-store")
		})},
		{number: 151, name: "an unknown token", needs: needs, run: func(ctx context.Context, p *probe) error {
			a, err := ask(ctx, p, p.Web, "garbage")
			if err == nil && (a.status != http.StatusOK || a.body["active"] != false || len(a.body) != 1) {
				err = fmt.Errorf("answered %d %.200q", a.status, a.raw)
			}
			return err
		}},
		{number: 152, name: "the token in the URL", needs: needs, run: func(ctx context.Context, p *probe) error {
			a, err := p.send(ctx, call{target: p.at.Introspect + "?token=x", authorization: []string{basic(p.Web)}})
			if err != nil {
				return err
			}
			return a.is(http.StatusBadRequest, "invalid_request")
		}},
		{number: 156, name: "GET is not allowed", needs: needs, run: expect(405, "", func(ctx context.Context, p *probe) (reply, error) {
			return p.get(ctx, p.at.Introspect)
		})},
		{number: 157, name: "a token does not speak for itself", needs: needs, run: withTokens(func(ctx context.Context, p *probe, tokens reply) error {
			token := tokens.text("access_token")
			a, err := p.send(ctx, call{target: p.at.Introspect, body: form("token", token).Encode(), authorization: []string{"Bearer " + token}})
			if err != nil {
				return err
			}
			return a.is(http.StatusUnauthorized, "")
		})},
	}
}

// bearer asks for the resource with a token.
func (p *probe) bearer(ctx context.Context, token string) (reply, error) {
	return p.send(ctx, call{method: http.MethodGet, target: p.Resource, contentType: "-", authorization: []string{"Bearer " + token}})
}

func bearerChecks() []protocolCheck {
	plain := func(target string, authorization ...string) func(context.Context, *probe) (reply, error) {
		return func(ctx context.Context, p *probe) (reply, error) {
			return p.send(ctx, call{method: http.MethodGet, target: p.Resource + target, contentType: "-", authorization: authorization})
		}
	}
	challenged := func(status int, with, without string, try func(context.Context, *probe) (reply, error)) func(context.Context, *probe) error {
		return func(ctx context.Context, p *probe) error {
			a, err := try(ctx, p)
			if err == nil && without != "" && strings.Contains(a.header.Get("WWW-Authenticate"), without) {
				err = fmt.Errorf("the challenge is %.200q", a.header.Get("WWW-Authenticate"))
			}
			if err != nil {
				return err
			}
			return errors.Join(a.is(status, ""), a.has("WWW-Authenticate", "Bearer"), a.has("WWW-Authenticate", with))
		}
	}
	return []protocolCheck{
		{number: 170, name: "a good token", needs: needResource | needCode, run: withTokens(func(ctx context.Context, p *probe, tokens reply) error {
			a, err := p.bearer(ctx, tokens.text("access_token"))
			if err != nil {
				return err
			}
			return a.is(http.StatusOK, "")
		})},
		{number: 171, name: "bearer in lower case", needs: needResource | needCode, run: withTokens(func(ctx context.Context, p *probe, tokens reply) error {
			a, err := plain("", "bearer "+tokens.text("access_token"))(ctx, p)
			if err != nil {
				return err
			}
			return a.is(http.StatusOK, "")
		})},
		{number: 172, name: "no token", needs: needResource, run: challenged(401, "", "error=", plain(""))},
		{number: 173, name: "another scheme", needs: needResource, run: challenged(401, "", "error=", plain("", "Basic eDp5"))},
		{number: 174, name: "a malformed token", needs: needResource, run: challenged(400, `error="invalid_request"`, "", plain("", "Bearer a b"))},
		{number: 175, name: "an unknown token", needs: needResource, run: challenged(401, `error="invalid_token"`, "", plain("", "Bearer unknown"))},
		{number: 177, name: "two tokens", needs: needResource, run: expect(400, "", plain("", "Bearer x", "Bearer x"))},
		{number: 178, name: "a token in the URL", needs: needResource | needCode, run: withTokens(func(ctx context.Context, p *probe, tokens reply) error {
			a, err := plain("?"+form("access_token", tokens.text("access_token")).Encode())(ctx, p)
			if err != nil {
				return err
			}
			return a.is(http.StatusUnauthorized, "")
		})},
		{number: 98, name: "a refresh token is no access token", needs: needResource | needCode, run: withTokens(func(ctx context.Context, p *probe, tokens reply) error {
			a, err := p.bearer(ctx, tokens.text("refresh_token"))
			if err != nil {
				return err
			}
			return a.is(http.StatusUnauthorized, "")
		})},
	}
}
