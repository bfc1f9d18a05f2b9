package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/oauth/password"
	"github.com/latchwork/latchwork/scope"
)

// setupTime is how long a host may take to set up a database before another
// one believes that it was killed.
const setupTime = 20 * time.Second

// A claim is a host's turn to fill the database: when it began, by which the
// database tells it from that of others, or 0 if there is nothing to fill.
type claim int64

// claim returns the turn of this host, if the database is new or whoever began
// with it did not come to the end. It waits for a host that is at it.
func (db *database) claim(ctx context.Context) (claim, error) {
	for {
		var began, done int64
		now := time.Now().UnixMicro()
		_, taken := db.ExecContext(ctx, db.sql("INSERT INTO billing_setup (id, began_at, done) VALUES (1, ?, 0)"), now)
		if taken == nil {
			return claim(now), nil
		}
		if err := db.QueryRowContext(ctx, "SELECT began_at, done FROM billing_setup WHERE id = 1").Scan(&began, &done); err != nil {
			return 0, errors.Join(taken, err)
		}
		if done == 1 {
			return 0, nil
		}
		if time.UnixMicro(now).Sub(time.UnixMicro(began)) > setupTime {
			if err := db.setup(ctx, claim(began), "began_at = ?", now); !errors.Is(err, errNotOurs) {
				return claim(now), err
			}
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// errNotOurs is that of a host which took so long that another one went on.
var errNotOurs = errors.New("another host has begun to set up the database anew, because this one took too long: start it again")

// setup changes the row of a claim that still holds.
func (db *database) setup(ctx context.Context, own claim, set string, args ...any) error {
	result, err := db.ExecContext(ctx, db.sql("UPDATE billing_setup SET "+set+" WHERE id = 1 AND began_at = ? AND done = 0"), append(args, own)...)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); n == 1 || err != nil {
		return err
	}
	return errNotOurs
}

// release lets the next host set up the database at once, when this one failed.
func (db *database) release(ctx context.Context, own claim) error {
	if err := db.setup(ctx, own, "began_at = 0"); !errors.Is(err, errNotOurs) {
		return err
	}
	return nil
}

// finish says that the database is set up.
func (db *database) finish(ctx context.Context, own claim) error {
	return db.setup(ctx, own, "done = 1")
}

// fill creates the demo data and what lets somebody in, and returns it. What a
// host left that did not come to the end goes away or no longer works.
func (db *database) fill(ctx context.Context, keys *apikey.Manager, clients *oauth.Clients, passwords *password.Hasher) (shown credentials, err error) {
	if err := db.demoRecords(ctx); err != nil {
		return shown, fmt.Errorf("demo data: %w", err)
	}
	first, err := apikey.NewMetadata(map[string]string{"made by": "setup"})
	if err != nil {
		return shown, err
	}
	for left, err := range keys.All(ctx, apikey.Query{State: apikey.StateActive, Search: "Admin"}) {
		if err == nil && left.Metadata.Equal(first) { // others may have been imported
			err = keys.Revoke(ctx, left.ID, apikey.RevokeOptions{Reason: "the setup was interrupted"})
		}
		if err != nil {
			return shown, err
		}
	}
	admin, err := keys.Create(ctx, apikey.Spec{Name: "Admin", Type: "admin", Permissions: scope.MustParseSet("*"), Metadata: first})
	if err != nil {
		return shown, err
	}
	shown.APIKey = admin.Secret.Reveal()
	if shown.User, err = db.demoUser(ctx, passwords); err != nil {
		return shown, err
	}
	shown.Clients, err = demoClients(ctx, clients)
	return shown, err
}

// demoRecords puts the demo records into tables that are empty then.
func (db *database) demoRecords(ctx context.Context) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a COMMIT it does nothing
	for _, table := range []string{"records", "passwords", "sessions", "counters"} {
		if _, err := tx.ExecContext(ctx, "DELETE FROM billing_"+table); err != nil {
			return err
		}
	}
	count := func(name string) error {
		_, err := tx.ExecContext(ctx, db.sql("INSERT INTO billing_counters (name, last) VALUES (?, 0)"), name)
		return err
	}
	if err := count("writes"); err != nil {
		return err
	}
	for _, res := range resources() {
		if err := count(res.name); err != nil {
			return err
		}
		for _, demo := range res.demo {
			if _, wrong, _, err := db.saveIn(ctx, tx, res, "", demo); err != nil || len(wrong) > 0 {
				return errors.Join(err, fmt.Errorf("%s: %v", res.name, wrong))
			}
		}
	}
	return tx.Commit()
}

var _ querier = (*sql.Tx)(nil)
