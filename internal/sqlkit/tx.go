package sqlkit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	// settle is how long a COMMIT, and finding out what became of it, may
	// take once it was sent. The caller's cancellation does not count then:
	// giving up would leave open what happened.
	settle = 3 * time.Second

	// longest is how long one try may take until then. Those who wait for what
	// transactions under way will have changed wait longer than this.
	longest = 30 * time.Second

	// What is tried again is tried so often, and not after this time: SQLite
	// has waited for its busy_timeout before it gives up.
	maxAttempts = 12
	maxTrying   = 5 * time.Second

	maxPause = 200 * time.Millisecond
)

// Work is what a transaction does. It begins with a write, because SQLite does
// not let a reader become a writer. It may run several times.
type Work func(ctx context.Context, tx *sql.Tx) error

// Decide says what a failure means of a transaction which is over, so that it may
// ask the database. If it could find out, the answer is known: nil if all is well
// nevertheless, or the error to return. Otherwise it returns what is wrong, or
// [ErrAgain] to try again. Lost says that an earlier try may have been committed
// although its answer was lost: what is there already may be our own.
type Decide func(ctx context.Context, err error, lost bool) (known bool, answer error)

var (
	// ErrAgain is how a Decide asks for another try.
	ErrAgain = errors.New("try again")

	// ErrLost says that nobody knows whether a transaction was committed.
	ErrLost = errors.New("the answer to the commit was lost")
)

// Tx runs work in a transaction and commits it unless work fails. What the
// database gave up for somebody else's sake, a deadlock or a conflict of
// snapshots, is tried again a few times. If a COMMIT is not answered, it is tried
// for as long as settle allows, whatever happens meanwhile, until decide can tell
// whether it was carried out. Without decide, errors are returned as they are, and
// such a transaction is [ErrLost] at once.
func (d *DB) Tx(ctx context.Context, work Work, decide Decide) error {
	var lost error // the answer to a COMMIT, as it seems
	began := time.Now()
	for attempt := 1; ; attempt++ {
		sent, err := d.once(ctx, work)
		means := d.classify(err)
		again := means == transient
		unanswered := sent && means == other // no database says no without a reason
		switch {
		case err == nil:
			return nil
		case again:
		case unanswered && decide == nil:
			return fmt.Errorf("%w: %w", ErrLost, err)
		case unanswered && lost == nil:
			lost = err
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), settle)
			defer cancel()
		case !unanswered && decide != nil:
			known, answer := decide(ctx, err, lost != nil)
			if known {
				return answer
			}
			err = answer
			again = errors.Is(err, ErrAgain) || d.classify(err) == transient
		}
		switch {
		case lost != nil && ctx.Err() != nil:
			return fmt.Errorf("%w: %w; and then: %v", ErrLost, lost, err) //nolint:errorlint // the time that ran out was ours
		case lost != nil:
		case !again:
			return err
		case attempt == maxAttempts || ctx.Err() != nil || time.Since(began) > maxTrying:
			return errors.Join(err, ctx.Err())
		}
		pause(ctx, attempt)
	}
}

// once runs work in one transaction. Sent says that a COMMIT was sent, so that
// an error does not mean that nothing happened.
func (d *DB) once(ctx context.Context, work Work) (sent bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	limited, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	defer func() {
		if over := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded); over && ctx.Err() == nil {
			err = fmt.Errorf("%w: %v", errNoAnswer, err) //nolint:errorlint // the caller's time is not over, ours is
		}
	}()
	// The transaction heeds the context until the COMMIT is sent, and then a
	// time of its own.
	held, release := context.WithCancel(context.WithoutCancel(limited))
	defer release()
	detach := context.AfterFunc(limited, release)
	defer detach()
	tx, err := d.BeginTx(held, nil)
	if err != nil {
		return false, err
	}
	if err := work(limited, tx); err != nil {
		_ = answered(tx.Rollback) // without it the connection would be given up
		return false, err
	}
	if !detach() {
		_ = answered(tx.Rollback)
		return false, limited.Err()
	}
	defer time.AfterFunc(settle, release).Stop()
	return true, answered(tx.Commit)
}

// errNoAnswer is that of a database which keeps silent.
var errNoAnswer = errors.New("the database does not answer")

// answered ends a transaction, or something else without a context, or stops
// waiting for that: some drivers wait for ever. Then the connection stays with
// the one that still waits.
func answered(end func() error) error {
	done := make(chan error, 1)
	go func() { done <- end() }()
	timer := time.NewTimer(settle + settle/10) // those that heed it go first
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return errNoAnswer
	}
}

// repeat does what may be done again, for as long as the database gives it up for
// somebody else's sake.
func (d *DB) repeat(ctx context.Context, do func() error) error {
	began := time.Now()
	for attempt := 1; ; attempt++ {
		err := do()
		if d.classify(err) != transient || attempt == maxAttempts || ctx.Err() != nil || time.Since(began) > maxTrying {
			return err
		}
		pause(ctx, attempt)
	}
}

// connection returns one that is free. The first ones to a new file of SQLite meet
// while each of them turns it to journal_mode=WAL, for which no busy_timeout waits.
func (d *DB) connection(ctx context.Context) (conn *sql.Conn, err error) {
	err = d.repeat(ctx, func() error {
		conn, err = d.Conn(ctx)
		return err
	})
	return conn, err
}

// pause waits longer and longer, at random, so that those who met do not meet
// again.
func pause(ctx context.Context, attempt int) {
	longest := min(maxPause, time.Millisecond<<min(attempt, 10))
	timer := time.NewTimer(rand.N(longest)) //nolint:gosec // no secret
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Exec runs a prepared statement in a transaction and returns how many rows it
// changed.
func Exec(ctx context.Context, tx *sql.Tx, stmt *sql.Stmt, args ...any) (int64, error) {
	result, err := tx.StmtContext(ctx, stmt).ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}
