// Command oauthserver runs a small authorization server on one of the libraries
// that Latchwork is compared with, so that internal/integration/oauthscore can
// try it:
//
//	go run -C internal/bench/peers ./oauthserver -server fosite -credentials /tmp/fosite.json
//	go run -C internal/bench/peers ./oauthserver -server go-oauth2 -credentials /tmp/go-oauth2.json
//
// It is what a host makes of a library that takes its advice: its own stores in
// memory, its own handlers and error answers, every hook that it leaves to the
// host, and PKCE required where there is an option for it. The pages are ours.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "oauthserver:", err)
		os.Exit(2)
	}
}

// servers are the libraries, by name. They add what endpoints they have.
func servers() map[string]func(*credentials) (http.Handler, error) {
	return map[string]func(*credentials) (http.Handler, error){"fosite": newFosite, "go-oauth2": newGoOAuth2}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("oauthserver", flag.ContinueOnError)
	name := flags.String("server", "", "fosite or go-oauth2")
	addr := flags.String("addr", "127.0.0.1:0", "`address` to listen on")
	file := flags.String("credentials", "", "`file` to write the clients and the user to")
	if err := flags.Parse(args); err != nil {
		return err
	}
	start, known := servers()[*name]
	if !known {
		return fmt.Errorf("-server %q: want fosite or go-oauth2", *name)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", *addr)
	if err != nil {
		return err
	}
	shown := newCredentials("http://" + listener.Addr().String())
	handler, err := start(&shown)
	if err == nil {
		err = shown.write(*file)
	}
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	fmt.Fprintf(stdout, "%s listens at %s\n", *name, shown.BaseURL)
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// credentials are in the format of examples/billing.
type credentials struct {
	BaseURL   string    `json:"base_url"`
	User      user      `json:"user"`
	Endpoints endpoints `json:"endpoints"` // neither library has metadata
	Clients   struct {
		FirstParty client `json:"first_party"`
		Web        client `json:"web"`
		Public     client `json:"public"`
	} `json:"clients"`
}

type endpoints struct {
	Authorize, Token, Revoke, Introspect string
}

type user struct {
	Username string `json:"username"`
	Password string `json:"password"`
	ID       string `json:"id"`
}

type client struct {
	ID          string `json:"client_id"`
	Secret      string `json:"client_secret,omitempty"`
	RedirectURI string `json:"redirect_uri,omitempty"`
}

const (
	authorizePath  = "/oauth/authorize"
	tokenPath      = "/oauth/token"
	revokePath     = "/oauth/revoke"
	introspectPath = "/oauth/introspect"

	callbackHost = "http://127.0.0.1:8081"
)

func newCredentials(base string) credentials {
	c := credentials{BaseURL: base, User: user{"ada@example.com", rand.Text(), "1"}}
	c.Endpoints = endpoints{Authorize: base + authorizePath, Token: base + tokenPath}
	c.Clients.FirstParty = client{ID: "first-party", Secret: rand.Text()}
	c.Clients.Web = client{ID: "web", Secret: rand.Text(), RedirectURI: callbackHost + "/callback"}
	c.Clients.Public = client{ID: "public", RedirectURI: callbackHost + "/callback"}
	return c
}

// write moves a complete file into place. CreateTemp gives it mode 0600.
func (c credentials) write(path string) error {
	if path == "" {
		return errors.New("-credentials: where?")
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".credentials-*")
	if err != nil {
		return err
	}
	if err := errors.Join(json.NewEncoder(file).Encode(c), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
