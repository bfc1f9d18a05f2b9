package oauthsql

import (
	"context"
	"database/sql"
	"errors"

	"github.com/latchwork/latchwork/internal/sqlkit"
	"github.com/latchwork/latchwork/oauth"
)

var (
	// errUnchanged ends a transaction whose statement found nothing to change.
	errUnchanged = errors.New("not unspent, not alive or not there")

	// errNoTime refuses times that would read as none.
	errNoTime = errors.New("the time is zero")
)

// Spend implements [oauth.Store].
func (s *Store) Spend(ctx context.Context, spend oauth.Spend, issue ...oauth.Credential) (oauth.Spent, error) {
	if !sqlkit.IsText(spend.ClientID) {
		return oauth.Spent{}, s.end(ctx, "spend", errors.Join(ctx.Err(), oauth.ErrNotFound))
	}
	issued, err := credentialValues(issue)
	if err == nil && spend.At.IsZero() {
		err = errNoTime
	}
	if err != nil {
		return oauth.Spent{}, s.fail(ctx, "spend", err)
	}
	at := sqlkit.Micros(spend.At)
	spent := oauth.Spent{First: true, Attempt: spend.Attempt, At: spend.At}
	err = s.db.Tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		n, err := sqlkit.Exec(ctx, tx, s.spend, at, spend.Attempt[:], spend.Hash[:], spend.ClientID, at, at)
		if err != nil {
			return err
		}
		if n == 0 {
			return errUnchanged
		}
		return s.storeCredentials(ctx, tx, issued)
	}, func(ctx context.Context, err error, _ bool) (known bool, answer error) {
		if s.db.IsDuplicate(err) {
			return true, oauth.ErrExists
		}
		if !errors.Is(err, errUnchanged) {
			return false, err
		}
		// How many rows an UPDATE changed says nothing about why: what stands
		// there does, and whether it was this very attempt, before its answer
		// was lost.
		spent, known, err = s.spent(ctx, spend)
		return known, err
	})
	if err != nil {
		return oauth.Spent{}, s.end(ctx, "spend", err)
	}
	return spent, nil
}

// spent reads why a credential cannot be spent, or who has done it. It is not
// known if reading fails, or if the credential can be spent.
func (s *Store) spent(ctx context.Context, spend oauth.Spend) (spent oauth.Spent, known bool, err error) {
	var client string
	var expires, spentAt, grantExpires, revoked sqlkit.Time
	var by oauth.Attempt
	err = s.state.QueryRowContext(ctx, spend.Hash[:]).Scan(&client, &expires, &spentAt, &fixed{by[:]}, &grantExpires, &revoked)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return spent, true, oauth.ErrNotFound
	case err != nil:
		return spent, false, err
	case client != spend.ClientID:
		return spent, true, oauth.ErrNotFound
	case !timeOf(spentAt).IsZero():
		return oauth.Spent{First: by == spend.Attempt, Attempt: by, At: timeOf(spentAt)}, true, nil
	case !timeOf(revoked).IsZero():
		return spent, true, oauth.ErrRevoked
	case !spend.At.Before(timeOf(grantExpires)), !spend.At.Before(timeOf(expires)):
		return spent, true, oauth.ErrExpired
	default:
		return spent, false, sqlkit.ErrAgain // it came just now
	}
}

// storeCredentials stores credentials, of which there are the values.
func (s *Store) storeCredentials(ctx context.Context, tx *sql.Tx, values []any) error {
	const width = 13
	for len(values) > 0 {
		n := min(len(values)/width, preparedCredentials)
		if _, err := sqlkit.Exec(ctx, tx, s.insertCredentials[n], values[:n*width]...); err != nil {
			return err
		}
		values = values[n*width:]
	}
	return nil
}
