package oauthtest

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

// expect makes a check of one request and how it is to be answered.
func expect(status int, code string, try func(context.Context, *probe) (reply, error)) func(context.Context, *probe) error {
	return func(ctx context.Context, p *probe) error {
		a, err := try(ctx, p)
		if err != nil {
			return err
		}
		return a.is(status, code)
	}
}

// ofMachine sends a token request of the confidential client.
func ofMachine(body string) func(context.Context, *probe) (reply, error) {
	return func(ctx context.Context, p *probe) (reply, error) {
		return p.send(ctx, call{body: body, authorization: []string{basic(p.Machine)}})
	}
}

const machineForm = "grant_type=client_credentials"

func transportChecks() []protocolCheck {
	method := func(method string) func(context.Context, *probe) error {
		return func(ctx context.Context, p *probe) error {
			a, err := p.send(ctx, call{method: method, body: machineForm, authorization: []string{basic(p.Machine)}})
			if err != nil {
				return err
			}
			return errors.Join(a.is(http.StatusMethodNotAllowed, ""), a.has("Allow", "POST"))
		}
	}
	typed := func(contentType string) func(context.Context, *probe) (reply, error) {
		return func(ctx context.Context, p *probe) (reply, error) {
			return p.send(ctx, call{body: machineForm, contentType: contentType, authorization: []string{basic(p.Machine)}})
		}
	}
	inQuery := func(query, body string) func(context.Context, *probe) (reply, error) {
		return func(ctx context.Context, p *probe) (reply, error) {
			return p.send(ctx, call{target: p.at.Token + "?" + query, body: body, authorization: []string{basic(p.Machine)}})
		}
	}
	return []protocolCheck{
		{number: 1, name: "a form in a POST", needs: needMachine, run: func(ctx context.Context, p *probe) error {
			a, err := ofMachine(machineForm)(ctx, p)
			if err != nil {
				return err
			}
			return a.issued()
		}},
		{number: 2, name: "GET is not allowed", needs: needMachine, run: method(http.MethodGet)},
		{number: 2, name: "PUT is not allowed", needs: needMachine, run: method(http.MethodPut)},
		{number: 4, name: "a charset in the content type", needs: needMachine, run: expect(200, "", typed(formType+"; charset=UTF-8"))},
		{number: 5, name: "no content type", needs: needMachine, run: expect(400, "invalid_request", typed("-"))},
		{number: 6, name: "JSON", needs: needMachine, run: expect(400, "invalid_request", typed("application/json"))},
		{number: 8, name: "all parameters in the URL", needs: needMachine, run: expect(400, "invalid_request", inQuery(machineForm, ""))},
		{number: 8, name: "a secret in the URL", needs: needMachine, run: expect(400, "invalid_request", inQuery("client_secret=x", machineForm))},
		{number: 9, name: "a parameter twice", needs: needMachine, run: expect(400, "invalid_request", ofMachine(machineForm+"&"+machineForm))},
		{number: 9, name: "scope twice", needs: needMachine, run: expect(400, "invalid_request", func(ctx context.Context, p *probe) (reply, error) {
			one := "&" + form("scope", p.Scope).Encode()
			return ofMachine(machineForm+one+one)(ctx, p)
		})},
		{number: 11, name: "an unknown parameter", needs: needMachine, run: expect(200, "", ofMachine(machineForm+"&foo=bar"))},
		{number: 13, name: "an empty parameter", needs: needMachine, run: expect(200, "", ofMachine(machineForm+"&scope="))},
		{number: 14, name: "broken encoding", needs: needMachine, run: expect(400, "invalid_request", ofMachine(machineForm+"&foo=%zz"))},
		{number: 16, name: "a body that is too large", needs: needMachine, run: func(ctx context.Context, p *probe) error {
			a, err := ofMachine(machineForm+"&foo="+strings.Repeat("x", 4<<20))(ctx, p)
			if err != nil {
				return nil //nolint:nilerror // it hung up, which is as good
			}
			return a.refused()
		}},
		{number: 18, name: "no grant_type", needs: needMachine, run: expect(400, "invalid_request", ofMachine("foo=bar"))},
		{number: 19, name: "an unknown grant_type", needs: needMachine, run: expect(400, "unsupported_grant_type", ofMachine("grant_type=nonsense"))},
		{number: 20, name: "grant_type in another case", needs: needMachine, run: expect(400, "unsupported_grant_type", ofMachine("grant_type=Client_Credentials"))},
		{number: 21, name: "nobody keeps the tokens", needs: needMachine, run: func(ctx context.Context, p *probe) error {
			a, err := ofMachine(machineForm)(ctx, p)
			if err != nil {
				return err
			}
			return errors.Join(a.has("Content-Type", "application/json"), a.has("Cache-Control", "no-store"))
		}},
		{number: 22, name: "nobody keeps an error", needs: needMachine, run: func(ctx context.Context, p *probe) error {
			a, err := ofMachine("grant_type=nonsense")(ctx, p)
			if err != nil {
				return err
			}
			return errors.Join(a.refused(), a.has("Content-Type", "application/json"), a.has("Cache-Control", "no-store"))
		}},
		{number: 23, name: "what an answer says", needs: needMachine, run: func(ctx context.Context, p *probe) error {
			a, err := ofMachine(machineForm)(ctx, p)
			if err != nil {
				return err
			}
			if lifetime, _ := a.body["expires_in"].(float64); lifetime < 1 || !strings.EqualFold(a.text("token_type"), "Bearer") {
				return fmt.Errorf("token_type %q, expires_in %v", a.text("token_type"), a.body["expires_in"])
			}
			return nil
		}},
		{number: 24, name: "errors repeat nothing", needs: needMachine, run: func(ctx context.Context, p *probe) error {
			a, err := ofMachine("grant_type=%22%3Ccanary%3E")(ctx, p)
			if err != nil {
				return err
			}
			if description := a.text("error_description"); strings.Contains(a.raw, "canary") || strings.ContainsAny(description, "\"\\\n") {
				return fmt.Errorf("the error says %.200q", a.raw)
			}
			return a.refused()
		}},
	}
}

func clientAuthChecks() []protocolCheck {
	with := func(authorization func(p *probe) []string, body string) func(context.Context, *probe) (reply, error) {
		return func(ctx context.Context, p *probe) (reply, error) {
			return p.send(ctx, call{body: body, authorization: authorization(p)})
		}
	}
	one := func(value func(p *probe) string) func(p *probe) []string {
		return func(p *probe) []string { return []string{value(p)} }
	}
	wrong := one(func(p *probe) string { return basic(TargetClient{ID: p.Machine.ID, Secret: "wrong"}) })
	challenged := func(try func(context.Context, *probe) (reply, error)) func(context.Context, *probe) error {
		return func(ctx context.Context, p *probe) error {
			a, err := try(ctx, p)
			if err != nil {
				return err
			}
			return errors.Join(a.is(http.StatusUnauthorized, "invalid_client"), a.has("WWW-Authenticate", "Basic"))
		}
	}
	inBody := func(more string) func(context.Context, *probe) (reply, error) {
		return func(ctx context.Context, p *probe) (reply, error) {
			return p.send(ctx, call{body: machineForm + "&" + form("client_id", p.Machine.ID).Encode() + more})
		}
	}
	return []protocolCheck{
		{number: 31, name: "a wrong secret", needs: needMachine, run: challenged(with(wrong, machineForm))},
		{number: 32, name: "an unknown client looks the same", needs: needMachine, run: func(ctx context.Context, p *probe) error {
			known, err := with(wrong, machineForm)(ctx, p)
			if err != nil {
				return err
			}
			unknown, err := with(one(func(*probe) string { return basic(TargetClient{ID: "nobody-at-all", Secret: "wrong"}) }), machineForm)(ctx, p)
			if err == nil && (known.status != unknown.status || known.raw != unknown.raw) {
				err = fmt.Errorf("%d %.100q, and for an unknown one %d %.100q", known.status, known.raw, unknown.status, unknown.raw)
			}
			return err
		}},
		{number: 36, name: "malformed Basic", needs: needMachine, run: challenged(with(one(func(*probe) string { return "Basic ****" }), machineForm))},
		{number: 36, name: "Basic without a colon", needs: needMachine, run: challenged(with(one(func(p *probe) string {
			return "Basic " + base64.StdEncoding.EncodeToString([]byte(p.Machine.ID))
		}), machineForm))},
		{number: 37, name: "Bearer", needs: needMachine, run: challenged(with(one(func(*probe) string { return "Bearer x" }), machineForm))},
		{number: 38, name: "two Authorization headers", needs: needMachine, run: expect(400, "invalid_request", with(func(p *probe) []string {
			return []string{basic(p.Machine), basic(p.Machine)}
		}, machineForm))},
		{number: 39, name: "basic in lower case", needs: needMachine, run: expect(200, "", with(one(func(p *probe) string {
			return "basic" + strings.TrimPrefix(basic(p.Machine), "Basic")
		}), machineForm))},
		{number: 41, name: "a wrong secret in the body", needs: needMachine, run: challenged(inBody("&client_secret=wrong"))},
		{number: 42, name: "two ways at once", needs: needMachine, run: expect(400, "invalid_request", func(ctx context.Context, p *probe) (reply, error) {
			return p.send(ctx, call{
				body:          machineForm + "&" + form("client_id", p.Machine.ID, "client_secret", p.Machine.Secret).Encode(),
				authorization: []string{basic(p.Machine)},
			})
		})},
		{number: 43, name: "another client_id beside Basic", needs: needMachine, run: expect(400, "invalid_request", ofMachine(machineForm+"&client_id=another"))},
		{number: 44, name: "a confidential client without its secret", needs: needMachine, run: challenged(inBody(""))},
		{number: 47, name: "nobody", needs: needMachine, run: challenged(with(func(*probe) []string { return nil }, machineForm))},
	}
}

func passwordChecks() []protocolCheck {
	login := func(password string, more ...string) func(context.Context, *probe) (reply, error) {
		return func(ctx context.Context, p *probe) (reply, error) {
			f := form(append([]string{"grant_type", "password", "username", p.Username, "password", password}, more...)...)
			return ofMachine(f.Encode())(ctx, p)
		}
	}
	return []protocolCheck{
		{number: 54, name: "the right password", needs: needPassword, run: func(ctx context.Context, p *probe) error {
			a, err := login(p.Password)(ctx, p)
			if err != nil {
				return err
			}
			return a.issued()
		}},
		{number: 55, name: "no password", needs: needPassword, run: expect(400, "invalid_request", login(""))},
		{number: 56, name: "a wrong password", needs: needPassword, run: func(ctx context.Context, p *probe) error {
			a, err := login("wrong")(ctx, p)
			if err == nil && a.header.Get("WWW-Authenticate") != "" {
				err = errors.New("there is a challenge, but the client is who it says")
			}
			if err != nil {
				return err
			}
			return a.is(http.StatusBadRequest, "invalid_grant")
		}},
		{number: 57, name: "an unknown user looks the same", needs: needPassword, run: func(ctx context.Context, p *probe) error {
			known, err := login("wrong")(ctx, p)
			if err != nil {
				return err
			}
			unknown, err := ofMachine(form("grant_type", "password", "username", "nobody@example.com", "password", "wrong").Encode())(ctx, p)
			if err == nil && (known.status != unknown.status || known.raw != unknown.raw) {
				err = fmt.Errorf("%d %.100q, and for an unknown one %d %.100q", known.status, known.raw, unknown.status, unknown.raw)
			}
			return err
		}},
		{number: 51, name: "no oracle for passwords without the client's secret", needs: needPassword, run: func(ctx context.Context, p *probe) error {
			other := *p
			other.Machine.Secret = "wrong"
			right, err := login(p.Password)(ctx, &other)
			if err != nil {
				return err
			}
			wrong, err := login("wrong")(ctx, &other)
			if err == nil && (right.status != wrong.status || right.raw != wrong.raw) {
				err = fmt.Errorf("%d %.100q for the right password, %d %.100q for a wrong one", right.status, right.raw, wrong.status, wrong.raw)
			}
			return err
		}},
		{number: 87, name: "a scope that does not exist", needs: needPassword, run: func(ctx context.Context, p *probe) error {
			a, err := login(p.Password, "scope", p.Scope+" no-such-scope-at-all")(ctx, p)
			if err != nil {
				return err
			}
			return a.is(http.StatusBadRequest, "invalid_scope")
		}},
	}
}

var randomToken = regexp.MustCompile(`^[\x21-\x7e]{22,}$`)

func clientCredentialsChecks() []protocolCheck {
	return []protocolCheck{
		{number: 80, name: "no refresh token", needs: needMachine, run: func(ctx context.Context, p *probe) error {
			a, err := ofMachine(machineForm)(ctx, p)
			if err == nil {
				err = a.issued()
			}
			if err == nil && a.text("refresh_token") != "" {
				err = errors.New("a client that speaks for itself has a refresh token")
			}
			return err
		}},
		{number: 81, name: "not for public clients", needs: needPublic, run: func(ctx context.Context, p *probe) error {
			a, err := p.as(ctx, TargetClient{ID: p.Public.ID}, "", form("grant_type", "client_credentials"))
			if err != nil {
				return err
			}
			return a.refused()
		}},
		{number: 82, name: "a client is no user", needs: needMachine | needResource, run: func(ctx context.Context, p *probe) error {
			a, err := ofMachine(machineForm+"&"+form("scope", p.Scope).Encode())(ctx, p)
			if err == nil {
				err = a.issued()
			}
			if err != nil {
				return err
			}
			used, err := p.send(ctx, call{method: http.MethodGet, target: p.Resource, contentType: "-", authorization: []string{"Bearer " + a.text("access_token")}})
			if err == nil && used.status != http.StatusForbidden && used.status != http.StatusUnauthorized {
				err = fmt.Errorf("the resource of users answered %d", used.status)
			}
			return err
		}},
		{number: 103, name: "tokens that nobody guesses", needs: needMachine, run: func(ctx context.Context, p *probe) error {
			seen := map[string]bool{}
			for range 5 {
				a, err := ofMachine(machineForm)(ctx, p)
				if err != nil {
					return err
				}
				token := a.text("access_token")
				if !randomToken.MatchString(token) || seen[token] {
					return fmt.Errorf("the token has %d characters, or stands twice", len(token))
				}
				seen[token] = true
			}
			return nil
		}},
	}
}
