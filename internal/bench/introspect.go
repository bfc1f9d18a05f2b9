package main

import (
	"encoding/json"
	"net/http"

	"github.com/latchwork/latchwork/internal/bench/fixture"
	"github.com/latchwork/latchwork/internal/bench/loopback"
	"github.com/latchwork/latchwork/internal/bench/ratio"
)

// introspectFigures hold what introspection costs a server over HTTP, beside a
// handler that reads the same form and writes the same JSON.
func introspectFigures() []ratio.Figure {
	return []ratio.Figure{{
		Name: "loopback/CPU time of an introspection, times that of a handler for the same form and JSON", Limit: 1.3,
		Measure: cpuRatio("introspection", "form"),
	}}
}

// introspection returns the introspection endpoint, or what reads the same forms
// and writes the same JSON by hand, and knows each token without a look at who
// asks.
func introspection(ours bool) (http.Handler, []string) {
	app := fixture.NewApp("able")
	const count = 1000
	forms, answers := make([]string, count), make(map[string]introspected, count)
	for i := range forms {
		token := string(fixture.Member(app.Ask([]byte("grant_type=client_credentials&scope=profile")), "access_token"))
		forms[i] = "token=" + token + "&token_type_hint=access_token"
		var answer introspected
		if err := json.Unmarshal(app.Introspect(forms[i]), &answer); err != nil || !answer.Active {
			panic("not active")
		}
		answers[token] = answer
	}
	requests := loopback.Posts(app.Authorization(), forms)
	if ours {
		return app.Server.IntrospectHandler(), requests
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, known := answers[r.PostFormValue("token")]
		if !known {
			panic("not known")
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(answer)
	}), requests
}

// introspected is an answer of that endpoint.
type introspected struct {
	Active    bool     `json:"active"`
	Scope     string   `json:"scope,omitempty"`
	ClientID  string   `json:"client_id,omitempty"`
	TokenType string   `json:"token_type,omitempty"`
	ExpiresAt int64    `json:"exp,omitempty"`
	IssuedAt  int64    `json:"iat,omitempty"`
	Audience  []string `json:"aud,omitempty"`
	Issuer    string   `json:"iss,omitempty"`
	ID        string   `json:"jti,omitempty"`
}
