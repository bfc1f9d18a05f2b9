// Package opendb opens the database that somebody named on a command line.
package opendb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"modernc.org/sqlite"               // the driver "sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// patience is how long those who open the same new file wait for each other.
const patience = 10 * time.Second

// A Database is an open one and the SQL that it speaks: "sqlite", "postgres" or
// "mysql", as apikeysql and oauthsql call it.
type Database struct {
	*sql.DB

	Dialect string
}

// Open connects to postgres://user:password@host/name, to
// mysql://user:password@host/name, which is MariaDB's, too, or to the SQLite
// file with this path, which is made if it is not there. Behind a question mark
// stand the options of the driver, such as ?tls=true of mysql.
func Open(ctx context.Context, name string) (Database, error) {
	d, err := open(name)
	if err != nil {
		return Database{}, err
	}
	if err := d.answer(ctx); err != nil {
		_ = d.Close() // it was never open
		check := "check that the server runs, that it has a database of this name, and the user and password"
		if d.Dialect == "sqlite" {
			check = "check that its folder is there and may be written to, and the file, too"
		}
		return Database{}, fmt.Errorf("the %s database does not answer (%s): %w", d.Dialect, check, err)
	}
	return d, nil
}

// answer waits for the first connection. Those who open a new file of SQLite at the
// same moment meet while each of them turns it to journal_mode=WAL, for which no
// busy_timeout waits.
func (d Database) answer(ctx context.Context) error {
	for began := time.Now(); ; {
		err := d.PingContext(ctx)
		var busy *sqlite.Error
		if !errors.As(err, &busy) || busy.Code()&0xff != sqlite3.SQLITE_BUSY || time.Since(began) > patience {
			return err
		}
		select {
		case <-time.After(rand.N(50 * time.Millisecond)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func open(name string) (Database, error) {
	switch scheme, _, found := strings.Cut(name, "://"); {
	case !found:
		db, err := sql.Open("sqlite", sqliteName(name))
		return Database{db, "sqlite"}, err
	case scheme == "postgres" || scheme == "postgresql":
		db, err := sql.Open("pgx", name)
		return Database{db, "postgres"}, err
	case scheme == "mysql":
		cfg, err := mysqlConfig(name)
		if err != nil {
			return Database{}, err
		}
		connector, err := mysql.NewConnector(cfg)
		if err != nil {
			return Database{}, err
		}
		return Database{sql.OpenDB(connector), "mysql"}, nil
	default:
		return Database{}, fmt.Errorf("database %s://...: want postgres://, mysql:// or the path of a file", scheme)
	}
}

// sqliteName adds what a file that several requests share needs.
func sqliteName(path string) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() +
		"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)"
}

// mysqlConfig reads a URL, which go-sql-driver does not.
func mysqlConfig(name string) (*mysql.Config, error) {
	u, err := url.Parse(name)
	if err != nil || u.Host == "" || strings.Trim(u.Path, "/") == "" {
		return nil, fmt.Errorf("want mysql://user:password@host:3306/database") // not err, which shows the password
	}
	cfg := mysql.NewConfig()
	cfg.Net, cfg.Addr, cfg.DBName = "tcp", u.Host, strings.Trim(u.Path, "/")
	if u.Port() == "" {
		cfg.Addr += ":3306"
	}
	cfg.User = u.User.Username()
	cfg.Passwd, _ = u.User.Password()
	if u.RawQuery == "" {
		return cfg, nil
	}
	return mysql.ParseDSN(cfg.FormatDSN() + "?" + u.RawQuery)
}
