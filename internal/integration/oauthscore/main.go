// Command oauthscore tries an authorization server from outside against the
// requirements of oauthtest.CheckProtocol, and prints how many it meets in each
// section and what it fails:
//
//	go run -C examples ./billing -db memory: -credentials /tmp/billing.json
//	go run -C internal/integration ./oauthscore -credentials /tmp/billing.json
//
// The file is what examples/billing writes. Another server's may have "endpoints",
// if it has no metadata.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/latchwork/latchwork/oauth/oauthtest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "oauthscore:", err)
		os.Exit(2)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("oauthscore", flag.ContinueOnError)
	file := flags.String("credentials", "", "`file` of the server's clients and user")
	base := flags.String("base-url", "", "issuer (default the file's base_url)")
	resource := flags.String("resource", "", "`path` of something that needs a user's access token with the scope; empty: there is nothing")
	scope := flags.String("scope", "profile", "a scope that all clients may have")
	if err := flags.Parse(args); err != nil {
		return err
	}
	data, err := os.ReadFile(*file)
	if err != nil {
		return fmt.Errorf("-credentials: %w", err)
	}
	var c credentials
	if err := json.Unmarshal(data, &c); err != nil {
		return fmt.Errorf("-credentials: %w", err)
	}
	c.BaseURL = cmp.Or(*base, c.BaseURL)
	target := c.target(*scope)
	if *resource != "" {
		target.Resource = c.BaseURL + *resource
	}
	report, err := oauthtest.CheckProtocol(ctx, target)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(stdout, report)
	return err
}

type credentials struct {
	BaseURL string `json:"base_url"`
	User    struct {
		Username, Password string
	}
	Clients struct {
		FirstParty client `json:"first_party"`
		Web        client
		Public     client
	}
	Endpoints oauthtest.Endpoints
}

type client struct {
	ID          string `json:"client_id"`
	Secret      string `json:"client_secret"`
	RedirectURI string `json:"redirect_uri"`
}

func (c credentials) target(scope string) oauthtest.Target {
	return oauthtest.Target{
		Issuer: c.BaseURL, Endpoints: c.Endpoints,
		Machine: oauthtest.TargetClient(c.Clients.FirstParty), Web: oauthtest.TargetClient(c.Clients.Web), Public: oauthtest.TargetClient(c.Clients.Public),
		Username: c.User.Username, Password: c.User.Password, Scope: scope,
	}
}
