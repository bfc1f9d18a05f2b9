package oauthtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
)

// redeemed tries a code in a wrong way, which must be refused, and then in the
// right one, which must still work.
func redeemed(instead ...string) func(context.Context, *probe) error {
	return func(ctx context.Context, p *probe) error {
		code, err := p.code(ctx, p.Web)
		if err != nil {
			return err
		}
		a, err := p.redeem(ctx, p.Web, code, instead...)
		if err == nil {
			err = a.is(http.StatusBadRequest, "invalid_grant")
		}
		if err != nil {
			return err
		}
		if a, err = p.redeem(ctx, p.Web, code); err == nil {
			err = a.issued()
		}
		if err != nil {
			return fmt.Errorf("the code was used up by a request that failed: %w", err)
		}
		return nil
	}
}

// lives reports whether tokens are still good for a new access token.
func (p *probe) lives(ctx context.Context, c TargetClient, tokens reply) (bool, error) {
	a, err := p.as(ctx, c, "", form("grant_type", "refresh_token", "refresh_token", tokens.text("refresh_token")))
	return a.status == http.StatusOK, err
}

// dies checks that tokens are of no use any more.
func (p *probe) dies(ctx context.Context, c TargetClient, tokens reply) error {
	lives, err := p.lives(ctx, c, tokens)
	if err == nil && lives {
		err = errors.New("the refresh token still works")
	}
	if err != nil || p.Resource == "" {
		return err
	}
	a, err := p.bearer(ctx, tokens.text("access_token"))
	if err == nil && a.status < 400 {
		err = errors.New("the access token still works")
	}
	return err
}

// crowd runs n calls at once and returns how many were answered with 200, and
// the last of those answers.
func (p *probe) crowd(ctx context.Context, n int, try func(context.Context) (reply, error)) (won int, last reply, err error) {
	var mu sync.Mutex
	errs := race(n, func(int) error {
		a, err := try(ctx)
		mu.Lock()
		defer mu.Unlock()
		if err == nil && a.status == http.StatusOK {
			won, last = won+1, a
		}
		return err
	})
	return won, last, errors.Join(errs...)
}

func codeChecks() []protocolCheck {
	return []protocolCheck{
		{number: 30, name: "a code for tokens", needs: needCode, run: func(ctx context.Context, p *probe) error {
			_, err := p.tokens(ctx, p.Web)
			return err
		}},
		{number: 45, name: "a public client's code", needs: needPublic, run: func(ctx context.Context, p *probe) error {
			_, err := p.tokens(ctx, p.Public)
			return err
		}},
		{number: 66, name: "no verifier", needs: needCode, run: redeemed("code_verifier", "")},
		{number: 68, name: "a wrong verifier", needs: needCode, run: redeemed("code_verifier", strings.Repeat("x", 43))},
		{number: 69, name: "a verifier that is too short", needs: needCode, run: redeemed("code_verifier", verifier[:42])},
		{number: 70, name: "a wrong verifier, and then none", needs: needCode, run: func(ctx context.Context, p *probe) error {
			code, err := p.code(ctx, p.Web)
			if err != nil {
				return err
			}
			for _, v := range []string{strings.Repeat("x", 43), "", ""} {
				a, err := p.redeem(ctx, p.Web, code, "code_verifier", v)
				if err == nil {
					err = a.refused()
				}
				if err != nil {
					return err
				}
			}
			return nil
		}},
		{number: 71, name: "no redirect_uri", needs: needCode, run: redeemed("redirect_uri", "")},
		{number: 71, name: "another redirect_uri", needs: needCode, run: redeemed("redirect_uri", "https://other.example/callback")},
		{number: 73, name: "another client", needs: needCode | needPublic, run: func(ctx context.Context, p *probe) error {
			code, err := p.code(ctx, p.Web)
			if err != nil {
				return err
			}
			a, err := p.redeem(ctx, p.Public, code, "redirect_uri", p.Web.RedirectURI)
			if err == nil {
				err = a.is(http.StatusBadRequest, "invalid_grant")
			}
			if err != nil {
				return err
			}
			if a, err = p.redeem(ctx, p.Web, code); err == nil {
				err = a.issued()
			}
			return err
		}},
		{number: 75, name: "garbage", needs: needCode, run: func(ctx context.Context, p *probe) error {
			code, err := p.code(ctx, p.Web)
			if err != nil {
				return err
			}
			for _, garbage := range []string{"garbage", code[:len(code)-1], code + "x", strings.ToUpper(code)} {
				a, err := p.redeem(ctx, p.Web, garbage)
				if err == nil && garbage != code {
					err = a.is(http.StatusBadRequest, "invalid_grant")
				}
				if err != nil {
					return err
				}
			}
			return nil
		}},
		{number: 76, name: "a second use ends it all", needs: needCode, run: func(ctx context.Context, p *probe) error {
			code, err := p.code(ctx, p.Web)
			if err != nil {
				return err
			}
			tokens, err := p.redeem(ctx, p.Web, code)
			if err == nil {
				err = tokens.issued()
			}
			if err != nil {
				return err
			}
			a, err := p.redeem(ctx, p.Web, code)
			if err == nil {
				err = a.is(http.StatusBadRequest, "invalid_grant")
			}
			if err != nil {
				return err
			}
			return p.dies(ctx, p.Web, tokens)
		}},
		{number: 77, name: "64 at once", needs: needCode, run: func(ctx context.Context, p *probe) error {
			code, err := p.code(ctx, p.Web)
			if err != nil {
				return err
			}
			won, tokens, err := p.crowd(ctx, 64, func(ctx context.Context) (reply, error) { return p.redeem(ctx, p.Web, code) })
			if err == nil && won != 1 {
				err = fmt.Errorf("%d got tokens for one code", won)
			}
			if err != nil {
				return err
			}
			return p.dies(ctx, p.Web, tokens)
		}},
	}
}

func refreshChecks() []protocolCheck {
	refresh := func(ctx context.Context, p *probe, c TargetClient, token string, more ...string) (reply, error) {
		return p.as(ctx, c, "", form(append([]string{"grant_type", "refresh_token", "refresh_token", token}, more...)...))
	}
	// fresh hands new tokens of the web client to a check.
	fresh := func(run func(ctx context.Context, p *probe, tokens reply) error) func(context.Context, *probe) error {
		return func(ctx context.Context, p *probe) error {
			tokens, err := p.tokens(ctx, p.Web)
			if err != nil {
				return err
			}
			if tokens.text("refresh_token") == "" {
				return errors.New("there is no refresh token")
			}
			return run(ctx, p, tokens)
		}
	}
	// unspent tries a refresh token in a wrong way, and then in the right one.
	unspent := func(status int, code string, try func(ctx context.Context, p *probe, tokens reply) (reply, error)) func(context.Context, *probe) error {
		return fresh(func(ctx context.Context, p *probe, tokens reply) error {
			a, err := try(ctx, p, tokens)
			if err == nil {
				err = a.is(status, code)
			}
			if err != nil {
				return err
			}
			if lives, err := p.lives(ctx, p.Web, tokens); err != nil || !lives {
				return errors.Join(err, errors.New("a request that failed used the token up"))
			}
			return nil
		})
	}
	return []protocolCheck{
		{number: 84, name: "a new token for an old one", needs: needCode, run: fresh(func(ctx context.Context, p *probe, tokens reply) error {
			a, err := refresh(ctx, p, p.Web, tokens.text("refresh_token"))
			if err == nil {
				err = a.issued()
			}
			if err == nil && (a.text("refresh_token") == "" || a.text("refresh_token") == tokens.text("refresh_token")) {
				err = errors.New("the refresh token is not replaced")
			}
			return err
		})},
		{number: 87, name: "more scope than there was", needs: needCode, run: unspent(400, "invalid_scope", func(ctx context.Context, p *probe, tokens reply) (reply, error) {
			return refresh(ctx, p, p.Web, tokens.text("refresh_token"), "scope", p.Scope+" no-such-scope-at-all")
		})},
		{number: 88, name: "a wrong secret", needs: needCode, run: unspent(401, "invalid_client", func(ctx context.Context, p *probe, tokens reply) (reply, error) {
			return refresh(ctx, p, TargetClient{ID: p.Web.ID, Secret: "wrong"}, tokens.text("refresh_token"))
		})},
		{number: 88, name: "a client that does not exist", needs: needCode, run: unspent(401, "invalid_client", func(ctx context.Context, p *probe, tokens reply) (reply, error) {
			return refresh(ctx, p, TargetClient{ID: "nobody-at-all", Secret: "wrong"}, tokens.text("refresh_token"))
		})},
		{number: 89, name: "another client", needs: needCode | needPublic, run: unspent(400, "invalid_grant", func(ctx context.Context, p *probe, tokens reply) (reply, error) {
			return refresh(ctx, p, TargetClient{ID: p.Public.ID}, tokens.text("refresh_token"))
		})},
		{number: 91, name: "a replay after its successor was used", needs: needCode, run: fresh(func(ctx context.Context, p *probe, tokens reply) error {
			second, err := refresh(ctx, p, p.Web, tokens.text("refresh_token"))
			if err == nil {
				err = second.issued()
			}
			if err != nil {
				return err
			}
			third, err := refresh(ctx, p, p.Web, second.text("refresh_token"))
			if err == nil {
				err = third.issued()
			}
			if err != nil {
				return err
			}
			a, err := refresh(ctx, p, p.Web, tokens.text("refresh_token"))
			if err == nil {
				err = a.is(http.StatusBadRequest, "invalid_grant")
			}
			if err != nil {
				return err
			}
			return p.dies(ctx, p.Web, third)
		})},
		{number: 89, name: "another client replays", needs: needCode | needPublic, run: fresh(func(ctx context.Context, p *probe, tokens reply) error {
			second, err := refresh(ctx, p, p.Web, tokens.text("refresh_token"))
			if err == nil {
				err = second.issued()
			}
			if err != nil {
				return err
			}
			if _, err := refresh(ctx, p, TargetClient{ID: p.Public.ID}, tokens.text("refresh_token")); err != nil {
				return err
			}
			if lives, err := p.lives(ctx, p.Web, second); err != nil || !lives {
				return errors.Join(err, errors.New("a foreign client ended the grant of another"))
			}
			return nil
		})},
		{number: 94, name: "many at once have one line of descent", needs: needCode, run: fresh(func(ctx context.Context, p *probe, tokens reply) error {
			successors := map[string]bool{}
			var mu sync.Mutex
			won, _, err := p.crowd(ctx, 16, func(ctx context.Context) (reply, error) {
				a, err := refresh(ctx, p, p.Web, tokens.text("refresh_token"))
				mu.Lock()
				defer mu.Unlock()
				if a.status == http.StatusOK {
					successors[a.text("refresh_token")] = true
				}
				return a, err
			})
			if err == nil && (won == 0 || len(successors) != 1) {
				err = fmt.Errorf("%d were answered, with %d different successors", won, len(successors))
			}
			return err
		})},
		{number: 98, name: "an access token is none", needs: needCode, run: unspent(400, "invalid_grant", func(ctx context.Context, p *probe, tokens reply) (reply, error) {
			return refresh(ctx, p, p.Web, tokens.text("access_token"))
		})},
	}
}
