// Package integration proves the stores on real databases: SQLite through
// modernc.org/sqlite, PostgreSQL through jackc/pgx, MariaDB through
// go-sql-driver/mysql. A database that does not answer is a failure: .ci/lib
// starts what is missing, and LATCHWORK_POSTGRES and LATCHWORK_MYSQL name
// others.
package integration
