package integration

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A fault is something that can happen to one call of a driver.
type fault string

const (
	refused  fault = "error before"               // nothing was done
	broken   fault = "connection lost before"     // nothing was done, and it tells
	lost     fault = "connection lost afterwards" // it was done, and nobody says so
	unusable fault = "bad connection before"      // what database/sql repeats by itself
	hangs    fault = "no answer"                  // it was done, and the answer does not come
)

// full is what a database says that has no room. It is no riddle, and none of the
// kinds that a store must solve.
const full fault = "disk full"

func faultKinds() []fault { return []fault{refused, broken, lost, unusable, hangs} }

var errInjected = errors.New("injected")

type fullError struct{ error }

func (fullError) SQLState() string { return "53100" }

// hang is how long a call hangs that has no context.
const hang = 150 * time.Millisecond

// faults decides what happens to the calls of all connections of one handle. It
// counts them once it was armed.
type faults struct {
	mu    sync.Mutex
	armed bool
	calls []string
	at    map[int]fault // by the number of the call, the first is 1
}

// arm begins to count, and plans faults.
func (f *faults) arm(at map[int]fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed, f.calls, f.at = true, nil, at
}

// disarm returns the calls that were made.
func (f *faults) disarm() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed = false
	return f.calls
}

// next returns what is to happen to a call.
func (f *faults) next(call string) fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.armed {
		return ""
	}
	f.calls = append(f.calls, call)
	return f.at[len(f.calls)]
}

// faulty returns another handle on the database, with one connection, whose
// calls can fail.
func (d database) faulty(t testing.TB) (*sql.DB, *faults) {
	t.Helper()
	plain := d.handle(t)
	f := &faults{}
	db := sql.OpenDB(connector{plain.Driver(), d.source, f})
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	require.NoError(t, db.PingContext(context.Background()))
	return db, f
}

type connector struct {
	driver driver.Driver
	source string
	faults *faults
}

func (c connector) Driver() driver.Driver { return c.driver }

func (c connector) Connect(context.Context) (driver.Conn, error) {
	inner, err := c.driver.Open(c.source)
	if err != nil {
		return nil, err
	}
	return &faultyConn{Conn: inner, faults: c.faults}, nil
}

// A faultyConn is a connection that can be lost.
type faultyConn struct {
	driver.Conn

	faults *faults
	dead   bool
	open   []driver.Stmt
	tx     driver.Tx
}

// call makes a call of the driver, or what happens to it instead.
func (c *faultyConn) call(ctx context.Context, name string, do func() error) error {
	if c.dead {
		return driver.ErrBadConn
	}
	switch c.faults.next(name) {
	case refused:
		return errInjected
	case full:
		return errors.Join(errInjected, fullError{errInjected})
	case broken:
		c.kill()
		return io.ErrUnexpectedEOF
	case unusable:
		c.kill()
		return driver.ErrBadConn
	case lost:
		err := do()
		c.kill()
		return errors.Join(err, io.ErrUnexpectedEOF)
	case hangs:
		_ = do()
		select {
		case <-ctx.Done():
		case <-time.After(hang):
		}
		c.kill()
		return errors.Join(ctx.Err(), io.ErrUnexpectedEOF)
	default:
		return do()
	}
}

// kill ends the connection as the end of its process does: SQLite would keep it
// as long as it has statements.
func (c *faultyConn) kill() {
	c.dead = true
	if c.tx != nil {
		_ = c.tx.Rollback() // in vain after a COMMIT
	}
	for _, stmt := range c.open {
		_ = stmt.Close()
	}
	_ = c.Close()
}

func (c *faultyConn) IsValid() bool {
	if v, ok := c.Conn.(driver.Validator); ok && !c.dead {
		return v.IsValid()
	}
	return !c.dead
}

func (c *faultyConn) ResetSession(ctx context.Context) error {
	if c.dead {
		return driver.ErrBadConn
	}
	if r, ok := c.Conn.(driver.SessionResetter); ok {
		return r.ResetSession(ctx)
	}
	return nil
}

func (c *faultyConn) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.Conn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

func (c *faultyConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	var inner driver.Stmt
	err := c.call(ctx, "prepare", func() (err error) {
		inner, err = c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
		return err
	})
	if err != nil {
		return nil, err
	}
	c.open = append(c.open, inner)
	return &faultyStmt{inner, c}, nil
}

func (c *faultyConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (result driver.Result, err error) {
	err = c.call(ctx, "exec", func() (err error) {
		result, err = c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
		return err
	})
	return result, err
}

func (c *faultyConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (rows driver.Rows, err error) {
	err = c.call(ctx, "query", func() (err error) {
		rows, err = c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
		return err
	})
	return c.rows(rows, err)
}

// rows makes rows of which the connection may be lost while they are read.
func (c *faultyConn) rows(inner driver.Rows, err error) (driver.Rows, error) {
	if err != nil {
		return nil, err
	}
	return faultyRows{inner, c}, nil
}

type faultyRows struct {
	driver.Rows

	conn *faultyConn
}

func (r faultyRows) Next(into []driver.Value) error {
	return r.conn.call(context.Background(), "next", func() error { return r.Rows.Next(into) })
}

func (r faultyRows) Close() error {
	if r.conn.dead {
		return nil
	}
	return r.Rows.Close()
}

func (c *faultyConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	var inner driver.Tx
	err := c.call(ctx, "begin", func() (err error) {
		inner, err = c.Conn.(driver.ConnBeginTx).BeginTx(ctx, opts)
		return err
	})
	if err != nil {
		return nil, err
	}
	c.tx = inner
	return faultyTx{inner, c}, nil
}

type faultyTx struct {
	inner driver.Tx
	conn  *faultyConn
}

// Commit leaves no transaction open, whether it fails or not, as drivers do:
// database/sql takes it for over.
func (t faultyTx) Commit() error {
	defer func() { t.conn.tx = nil }()
	err := t.conn.call(context.Background(), "commit", t.inner.Commit)
	if errors.Is(err, errInjected) {
		_ = t.inner.Rollback()
	}
	return err
}

// Rollback that fails leaves no connection, as with drivers.
func (t faultyTx) Rollback() error {
	defer func() { t.conn.tx = nil }()
	err := t.conn.call(context.Background(), "rollback", t.inner.Rollback)
	if errors.Is(err, errInjected) {
		t.conn.kill()
	}
	return err
}

type faultyStmt struct {
	driver.Stmt

	conn *faultyConn
}

func (s *faultyStmt) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := s.Stmt.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return s.conn.CheckNamedValue(v)
}

func (s *faultyStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (result driver.Result, err error) {
	err = s.conn.call(ctx, "exec", func() (err error) {
		result, err = s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
		return err
	})
	return result, err
}

func (s *faultyStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (rows driver.Rows, err error) {
	err = s.conn.call(ctx, "query", func() (err error) {
		rows, err = s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
		return err
	})
	return s.conn.rows(rows, err)
}

func (s *faultyStmt) Close() error {
	if s.conn.dead {
		return nil
	}
	return s.Stmt.Close()
}

// withFaults runs a call once without a fault, to see what it consists of, and
// then with every fault at each of its parts. When the answer to a COMMIT is
// lost there is more to come, and every fault at the first part of that as well,
// with -long at each, and when it only does not come, too.
// Before each time, warm makes the same calls, so that they are always the
// same: a new connection has nothing prepared.
func withFaults(t *testing.T, f *faults, warm func() error, run func(t *testing.T, what string)) {
	t.Helper()
	arm := func(at map[int]fault) {
		require.NoError(t, warm())
		f.arm(at)
	}
	arm(nil)
	run(t, "no fault")
	calls := f.disarm()
	require.NotEmpty(t, calls)
	for i, call := range calls {
		for _, kind := range faultKinds() {
			arm(map[int]fault{i + 1: kind})
			run(t, string(kind)+" at "+call)
			after := f.disarm()
			if call != "commit" || (kind != lost && (kind != hangs || !*long)) {
				continue
			}
			for j := i + 1; j < len(after) && (*long || j == i+1); j++ {
				for _, second := range faultKinds() {
					arm(map[int]fault{i + 1: kind, j + 1: second})
					run(t, string(kind)+" at commit, and then "+string(second)+" at "+after[j])
					f.disarm()
				}
			}
		}
	}
}
