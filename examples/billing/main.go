// Command billing is a small billing service in the manner of Paymenter, with
// Latchwork in front of its API and everything in one database:
//
//	go run -C examples ./billing
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) && (ctx.Err() == nil || !errors.Is(err, ctx.Err())) { // who is stopped early has no mistake
		fmt.Fprintln(os.Stderr, "billing:", err)
		os.Exit(2)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("billing", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:8080", "`address` to listen on")
	base := flags.String("base-url", "", "`URL` of the service for its clients, and the issuer of tokens (default http:// and the address)")
	name := flags.String("db", "billing.db", "`database`: the path of an SQLite file, postgres://user:password@host/name, mysql://user:password@host/name, or memory:")
	file := flags.String("credentials", "", "`file` to write the first credentials to")
	loginBurst := flags.Int("login-burst", 5, "wrong passwords for one account that are tolerated at once; 0: any `number`, of client secrets, too")
	cacheTTL := flags.Duration("cache-ttl", 5*time.Second, "how long a key may be used without asking the database; what changes is in effect here at once, and on other hosts after a second, or after this `time` if it is less")
	failureBurst := flags.Int("failure-burst", 20, "requests with a credential that is no good that one address may send at once; 0: any `number`")
	flags.SetOutput(io.Discard) // what is wrong, main says
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		flags.SetOutput(stdout)
		flags.Usage()
		return err
	} else if err != nil {
		return fmt.Errorf("%w (-h lists the flags)", err)
	}
	if flags.NArg() > 0 {
		return errors.New("there are no arguments, only flags") // not repeated here: one may hold a password
	}
	if *cacheTTL <= 0 {
		return fmt.Errorf("-cache-ttl %v: must be more than nothing", *cacheTTL)
	}
	if *loginBurst < 0 || *failureBurst < 0 {
		return fmt.Errorf("-login-burst %d, -failure-burst %d: neither is negative", *loginBurst, *failureBurst)
	}
	if *loginBurst == 0 {
		fmt.Fprintln(stderr, "billing: warning: -login-burst 0: nothing limits how often passwords and client secrets are guessed at")
	}
	if *failureBurst == 0 {
		fmt.Fprintln(stderr, "billing: warning: -failure-burst 0: nothing keeps those whose credentials are no good from the database")
	}
	var listener net.Listener
	listen := func() (err error) {
		if listener, err = new(net.ListenConfig).Listen(context.WithoutCancel(ctx), "tcp", *addr); err != nil {
			return fmt.Errorf("-addr: %w", err)
		}
		return nil
	}
	if strings.HasSuffix(*addr, ":0") { // which port that is, only listening tells
		if err := listen(); err != nil {
			return err
		}
		*addr = listener.Addr().String()
	}
	if *base == "" {
		var err error
		if *base, err = urlOf(ctx, *addr); err != nil {
			return fmt.Errorf("-addr: %w", err)
		}
	}
	db, err := openDatabase(ctx, *name)
	if err != nil {
		return fmt.Errorf("-db: %w", err)
	}
	defer func() { _ = db.Close() }() // everything is committed
	serving, stop := context.WithCancel(ctx)
	defer stop()
	service, err := newService(serving, db, strings.TrimSuffix(*base, "/"), bursts{*loginBurst, *failureBurst}, *cacheTTL)
	if err != nil {
		return err
	}
	if listener == nil {
		if other, err := net.DialTimeout("tcp", *addr, time.Second); err == nil {
			return errors.Join(fmt.Errorf("-addr: %s is in use", *addr), other.Close()) // and perhaps the file, too
		}
	}
	shown, err := firstStart(ctx, db, service, *base, *file, func() error {
		if listener == nil {
			return listen()
		}
		return nil
	})
	if err != nil {
		return err
	}
	var greeting strings.Builder // one write: whoever has waited for its first line can read the rest
	fmt.Fprintf(&greeting, "Billing listens at %s\n", strings.TrimSuffix(*base, "/"))
	if shown.APIKey == "" {
		fmt.Fprintln(&greeting, "Its database was set up before: the first credentials were shown then.")
	} else {
		show(&greeting, shown)
	}
	fmt.Fprint(stdout, greeting.String())
	return serve(ctx, listener, service)
}

// firstStart listens and, if the database is new, fills it before that, writes
// the credentials file, and returns what is in it. What fails can be done again.
func firstStart(ctx context.Context, db *database, s service, base, file string, listen func() error) (shown credentials, err error) {
	own, err := db.claim(ctx)
	if err != nil || own == 0 {
		return shown, errors.Join(err, listen())
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.release(context.WithoutCancel(ctx), own))
		}
	}()
	if shown, err = s.fill(ctx); err != nil {
		return shown, err
	}
	shown.BaseURL = strings.TrimSuffix(base, "/")
	if err := writeCredentials(file, shown); err != nil {
		return shown, fmt.Errorf("credentials file %s: %w", file, err)
	}
	if err := listen(); err != nil {
		return shown, err
	}
	return shown, db.finish(context.WithoutCancel(ctx), own) // they were shown
}

// show tells what lets somebody in.
func show(w io.Writer, shown credentials) {
	fmt.Fprintf(w, `The admin key, which is not shown again: %[2]s

  curl -H 'Authorization: Bearer %[2]s' '%[1]s/api/v1/admin/users?include=orders,services'
  curl -H 'Authorization: Bearer %[2]s' -H 'Content-Type: application/json' -d '{"name":"CI","type":"admin","permissions":["users.view"]}' %[1]s/api/v1/admin/api-keys

The demo user, whose password is not shown again: %[3]s %[4]s
An application of our own, whose secret is not shown again: %[5]s %[6]s

  curl -u %[5]s:%[6]s -d grant_type=password -d username=%[3]s -d password=%[4]s %[1]s/api/oauth/token

Two applications of others, to which users give access in a browser and take it away again at %[1]s/account/apps:
on a server, with a secret that is not shown again: %[7]s %[8]s
on a desktop: %[9]s
`, shown.BaseURL, shown.APIKey, shown.User.Username, shown.User.Password,
		shown.Clients["first_party"].ID, shown.Clients["first_party"].Secret,
		shown.Clients["web"].ID, shown.Clients["web"].Secret, shown.Clients["public"].ID)
}

// urlOf returns where a server that listens at an address is found on this machine.
func urlOf(ctx context.Context, addr string) (string, error) {
	host, service, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	port, err := net.DefaultResolver.LookupPort(ctx, "tcp", service)
	if host == "" || net.ParseIP(host).IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, strconv.Itoa(port)), err
}

// serve answers requests until the context is done, and then finishes those
// under way and has recorded what was counted last.
func serve(ctx context.Context, listener net.Listener, s service) error {
	server := &http.Server{
		Handler: s, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute,
	}
	closed := make(chan error, 1)
	go func() {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 4*time.Second)
		defer cancel()
		_ = server.Shutdown(grace) // who is not done by then is cut off
		err := server.Close()
		grace, cancel = context.WithTimeout(context.WithoutCancel(ctx), time.Second/2)
		defer cancel()
		closed <- errors.Join(err, s.close(grace))
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-closed
}
