// Command paymenter-import takes the API keys of a Paymenter panel along: they
// go on working, with what they may do and from where.
//
//	go run -C examples ./paymenter-import \
//		-from 'user:password@tcp(127.0.0.1:3306)/paymenter' -to billing.db
//
// Without -apply it only says what it would do, and does not open the database
// behind -to. Keys that are there already are left alone, so it may be run again.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/apikey/apikeysql"
	"github.com/latchwork/latchwork/examples/internal/opendb"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "paymenter-import:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("paymenter-import", flag.ContinueOnError)
	from := flags.String("from", "", "the panel's database: `user:password@tcp(host:3306)/name`; it is only read")
	to := flags.String("to", "", "the `database` to import into: the path of a file, postgres://... or mysql://...")
	prefix := flags.String("prefix", "paym", "the `prefix` of the keys that the service makes itself")
	types := flags.String("types", "admin", "the `types` of keys that the service knows, with commas between them")
	strip := flags.String("strip", "admin.", "what to cut off in front of each `permission`")
	networks := flags.Bool("networks", false, "import address lists with networks and ranges, which never matched in the panel")
	apply := flags.Bool("apply", false, "import the rows that are good, after the dry run")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return err
	case *from == "" || *to == "" || flags.NArg() > 0:
		return errors.New("-from and -to are needed, and nothing else; -h explains")
	}

	source, err := openPanel(ctx, *from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.db.Close()) }()
	var target store = apikey.NewMemoryStore() // a dry run stores nothing
	if *apply {
		db, err := opendb.Open(ctx, *to)
		if err != nil {
			return fmt.Errorf("-to: %w", err)
		}
		defer func() { err = errors.Join(err, db.Close()) }()
		if target, err = prepared(ctx, db); err != nil {
			return fmt.Errorf("-to: %w", err)
		}
	}
	keys, err := apikey.New(target, apikey.Config{
		Prefix: *prefix, Types: strings.Split(*types, ","), ForeignFormats: []apikey.ForeignFormat{apikey.Paymenter()},
	})
	if err != nil {
		return err
	}
	im := importer{panel: source, keys: keys, store: target, converter: converter{*strip, *networks}, out: out}
	return im.run(ctx, *apply)
}

// prepared returns the store in a database, in which its tables may be missing.
func prepared(ctx context.Context, db opendb.Database) (*apikeysql.Store, error) {
	cfg := apikeysql.Config{Dialect: apikeysql.Dialect(db.Dialect)}
	if err := apikeysql.Migrate(ctx, db.DB, cfg); err != nil {
		return nil, err
	}
	return apikeysql.New(db.DB, cfg)
}
