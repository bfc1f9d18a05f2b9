package main

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/go-sql-driver/mysql"
)

// pageSize is how many rows are read at once.
const pageSize = 500

// A panel is the database of a Paymenter panel. It is only read.
type panel struct{ db *sql.DB }

// openPanel connects to the database behind a DSN such as
// user:password@tcp(127.0.0.1:3306)/paymenter.
func openPanel(ctx context.Context, dsn string) (panel, error) {
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		return panel{}, fmt.Errorf("-from: %w", err)
	}
	// A TIMESTAMP is given in the time zone of the session.
	cfg.ParseTime = true
	if cfg.Params == nil {
		cfg.Params = map[string]string{}
	}
	cfg.Params["time_zone"] = "'+00:00'"
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return panel{}, fmt.Errorf("-from: %w", err)
	}
	db := sql.OpenDB(connector)
	if err := db.PingContext(ctx); err != nil {
		_ = db.Close() // it was never open
		return panel{}, fmt.Errorf("-from: the panel's database does not answer: %w", err)
	}
	return panel{db}, nil
}

func (p panel) count(ctx context.Context) (n int, err error) {
	err = p.db.QueryRowContext(ctx, "SELECT COUNT(*) FROM api_keys").Scan(&n)
	return n, err
}

// each calls visit for every row, in the order of the ids.
func (p panel) each(ctx context.Context, visit func(row) error) error {
	for last := int64(-1); ; {
		page, err := p.page(ctx, last)
		if err != nil {
			return err
		}
		for _, r := range page {
			if err := visit(r); err != nil {
				return err
			}
			last = r.id
		}
		if len(page) < pageSize {
			return nil
		}
	}
}

func (p panel) page(ctx context.Context, after int64) (page []row, err error) {
	rows, err := p.db.QueryContext(ctx, `SELECT id, COALESCE(name, ''), COALESCE(token, ''), permissions, COALESCE(type, ''),
		ip_addresses, COALESCE(enabled, FALSE), last_used_at FROM api_keys WHERE id > ? ORDER BY id LIMIT ?`, after, pageSize)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // rows.Err tells
	for rows.Next() {
		var r row
		if err := rows.Scan(&r.id, &r.name, &r.token, &r.permissions, &r.keyType, &r.addresses, &r.enabled, &r.lastUsed); err != nil {
			return nil, fmt.Errorf("row after id %d: %w", after, err)
		}
		page = append(page, r)
	}
	return page, rows.Err()
}
