// Command billing is a small billing service in the manner of Paymenter, with
// Latchwork in front of its API and all its data in memory:
//
//	go run -C examples ./billing
package main

import (
	"cmp"
	"context"
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
	"strings"
	"syscall"
	"time"

	"github.com/latchwork/latchwork/apikey"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "billing:", err)
		os.Exit(2)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("billing", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:8080", "`address` to listen on")
	base := flags.String("base-url", "", "`URL` of the service for its clients (default http:// and the address)")
	db := flags.String("db", "memory:", "`database`; only memory: exists so far")
	credentials := flags.String("credentials", "", "`file` to write the first credentials to")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 || *db != "memory:" { // not repeated here: it may hold a password
		return errors.New("-db: only memory: exists so far, and there are no arguments")
	}
	admin, handler, err := newService(ctx)
	if err != nil {
		return err
	}
	var listener net.Listener
	listen := func() (err error) {
		listener, err = new(net.ListenConfig).Listen(ctx, "tcp", *addr)
		return err
	}
	if strings.HasSuffix(*addr, ":0") { // which port that is, only listening tells
		if err := listen(); err != nil {
			return err
		}
		*addr = listener.Addr().String()
	}
	baseURL := cmp.Or(strings.TrimSuffix(*base, "/"), "http://"+*addr)
	if listener == nil {
		if other, err := net.DialTimeout("tcp", *addr, time.Second); err == nil {
			return errors.Join(fmt.Errorf("%s is in use", *addr), other.Close()) // and perhaps the file, too
		}
	}
	if err := writeCredentials(*credentials, baseURL, admin); err != nil {
		return fmt.Errorf("credentials file %s: %w", *credentials, err)
	}
	if listener == nil {
		if err := listen(); err != nil {
			return err
		}
	}
	fmt.Fprintf(stdout, `Billing listens at %[1]s
The admin key, which is not shown again: %[2]s

  curl -H 'Authorization: Bearer %[2]s' '%[1]s/api/v1/admin/users?include=orders,services'
  curl -H 'Authorization: Bearer %[2]s' -H 'Content-Type: application/json' -d '{"name":"CI","type":"admin","permissions":["users.view"]}' %[1]s/api/v1/admin/api-keys
`, baseURL, admin.Reveal())
	return serve(ctx, listener, handler)
}

// writeCredentials moves a complete file into place. CreateTemp gives it mode 0600.
func writeCredentials(path, baseURL string, key apikey.Secret) error {
	if path == "" {
		return nil
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".credentials-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }() // in vain once it was moved
	content := map[string]string{"base_url": baseURL, "api_key": key.Reveal()}
	if err := errors.Join(json.NewEncoder(file).Encode(content), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

// serve answers requests until the context is done, and then finishes those under way.
func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute,
	}
	closed := make(chan error, 1)
	go func() {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 4*time.Second)
		defer cancel()
		_ = server.Shutdown(grace) // who is not done by then is cut off
		closed <- server.Close()
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-closed
}
