// Package oauthsql keeps grants, tokens and clients in a database: SQLite,
// PostgreSQL, MySQL or MariaDB, through database/sql and whichever driver the
// host opens it with. Begin with [Migrate] and [New].
//
//	db, err := sql.Open("pgx", "postgres://app@db.example/app")
//	cfg := oauthsql.Config{Dialect: oauthsql.PostgreSQL}
//	err = oauthsql.Migrate(ctx, db, cfg)
//	store, err := oauthsql.New(db, cfg)
//	server, err := oauth.New(store, store, oauth.Config{...})
//
// A [Store] passes the suites of oauthtest on every dialect, with any number of
// nodes on one database. Drivers, schema, and what is promised of what was
// acknowledged are as in the package apikeysql; both may share a database.
//
// # Spending once
//
// Spend is one transaction: an UPDATE that takes effect only on what is unspent
// and alive, and the INSERTs of what is issued. Of any number of callers on any
// number of nodes the database lets one through. When the answer to a COMMIT is
// lost, the same attempt is made again, and finds out whether it was the first
// by reading what stands there: so a retry of our own is never taken for the
// replay of a thief.
package oauthsql
