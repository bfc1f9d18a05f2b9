// Package apikeysql keeps API keys in a database: SQLite, PostgreSQL, MySQL or
// MariaDB, through database/sql and whichever driver the host opens it with.
// Begin with [Migrate] and [New].
//
//	db, err := sql.Open("sqlite", "file:keys.db?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)")
//	cfg := apikeysql.Config{Dialect: apikeysql.SQLite}
//	err = apikeysql.Migrate(ctx, db, cfg)
//	store, err := apikeysql.New(db, cfg)
//	keys, err := apikey.New(store, apikey.Config{Prefix: "acme"})
//
// A [Store] passes the suite of apikeytest on every dialect, with any number
// of nodes on one database. What it has acknowledged is committed, so it
// survives the end of the process; whether it survives a loss of power is up
// to the database (synchronous = FULL on SQLite, which is its default, fsync on
// the others).
//
// # Drivers
//
// None is imported. What their errors mean is found out from an SQLState
// method (jackc/pgx, lib/pq) or from error numbers (go-sql-driver/mysql,
// modernc.org/sqlite, mattn/go-sqlite3); [Config].SQLState is for others.
//
// # Schema
//
// Nothing is migrated silently: New refuses a schema that is missing, older or
// newer than it knows. [Migrations] has the SQL for those who run it by other
// means.
//
// # Many nodes
//
// What one node changes is there for the others at once, and their caches hear of
// it within about a second, when they poll the Store as their [apikey.Feed]. A
// change that is committed late is told of, too, for a minute. Where the database
// counts in steps, as a Galera cluster does (auto_increment_increment), it leaves
// numbers that never come and look like that: with steps of three, changes that
// are committed late may be missed above 500 changes a minute, and the nodes then
// follow within their CacheTTL.
//
// # Many keys
//
// Find takes about as long among a million keys as among ten thousand, while
// the database has the memory for those that are in use: each stands in pages of
// its own. Without enough of it, Find takes two to four times as long.
//
// SQLite keeps 2 MB on each connection, which is enough for about a hundred
// keys. For more, add to the data source name
//
//	&_pragma=mmap_size(1073741824)
//
// for files of up to 1 GiB, which all connections then share. An error of the
// disk ends the process then; where it must not, cache_size(-65536) gives each
// connection 64 MiB. MariaDB and MySQL keep 128 MB, which is enough for some
// thousand keys; a million want an innodb_buffer_pool_size of 512 MB.
//
// Find, Get and what an owner or a creator has are found by indexes. Whatever
// else List is asked, it looks at 10,000 keys at most, so that a page of a
// million keys takes no longer than any other: a few milliseconds. Where those
// that match are rare, it returns what it found by then, and the Next from which
// to go on.
//
// # Damage
//
// A row that cannot be read whole, because somebody damaged a list or a
// permission in it, is an error and never a key with less on it.
package apikeysql
