package integration

import (
	"context"
	"database/sql"
	"slices"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/internal/sqlkit"
)

// twoVersions is a package whose schema has changed once.
func twoVersions(newest int) sqlkit.Package {
	files := fstest.MapFS{}
	for _, dialect := range dialects() {
		dir := "migrations/" + dialect + "/"
		files[dir+"0001_begin.sql"] = &fstest.MapFile{Data: []byte(
			"-- +goose Up\n\nCREATE TABLE latchwork_things (id INTEGER NOT NULL PRIMARY KEY);\n\n" +
				"CREATE TABLE latchwork_versions (version INTEGER NOT NULL PRIMARY KEY);\n\nINSERT INTO latchwork_versions (version) VALUES (1);\n")}
		if newest == 2 {
			files[dir+"0002_more.sql"] = &fstest.MapFile{Data: []byte(
				"-- +goose Up\n\n-- A comment; with a semicolon.\n\nALTER TABLE latchwork_things ADD COLUMN n INTEGER;\n\nINSERT INTO latchwork_versions (version) VALUES (2);\n")}
		}
	}
	return sqlkit.Package{Name: "thingsql", Versions: "latchwork_versions", Files: files}
}

func TestUpgrade(t *testing.T) {
	for _, dialect := range dialects() {
		t.Run(dialect, func(t *testing.T) {
			d := newDatabase(t, dialect)
			open := func(newest int) *sqlkit.DB {
				kit, err := sqlkit.New(d.open(t), twoVersions(newest), sqlkit.Config{Dialect: sqlkit.Dialect(d.dialect), TablePrefix: d.prefix})
				require.NoError(t, err)
				return kit
			}
			ready := func(context.Context) error { return nil }
			older, newer := open(1), open(2)
			require.NoError(t, older.Migrate(t.Context()))
			require.NoError(t, older.Setup(ready))
			d.exec(t, older.DB, "INSERT INTO "+d.prefix+"things (id) VALUES (7)")
			require.EqualError(t, newer.Setup(ready),
				"thingsql: the schema has version 1, and this program needs version 2: call thingsql.Migrate(ctx, db, cfg) first")
			var all sync.WaitGroup
			errs := make([]error, 4)
			nodes := []*sqlkit.DB{open(2), open(2), open(2), open(2)}
			for i, node := range nodes {
				all.Go(func() { errs[i] = node.Migrate(context.Background()) })
			}
			all.Wait()
			for _, err := range errs {
				require.NoError(t, err)
			}
			require.NoError(t, newer.Setup(ready))
			var n sql.NullInt64
			require.NoError(t, newer.QueryRowContext(t.Context(), "SELECT n FROM "+d.prefix+"things WHERE id = 7").Scan(&n))
			require.EqualError(t, older.Setup(ready),
				"thingsql: the schema has version 2, and this program knows version 1: run a newer release of github.com/latchwork/latchwork")
			require.ErrorContains(t, older.Migrate(t.Context()), "run a newer release")
		})
	}
}

// The transactions of a kit, where the database has its own opinion.
func TestTransactions(t *testing.T) {
	for _, dialect := range dialects() {
		t.Run(dialect, func(t *testing.T) {
			d := newDatabase(t, dialect)
			kit, err := sqlkit.New(d.open(t), twoVersions(1), sqlkit.Config{Dialect: sqlkit.Dialect(d.dialect), TablePrefix: d.prefix})
			require.NoError(t, err)
			require.NoError(t, kit.Migrate(t.Context()))
			insert := func(id int) sqlkit.Work {
				return func(ctx context.Context, tx *sql.Tx) error {
					_, err := tx.ExecContext(ctx, kit.SQL("INSERT INTO latchwork_things (id) VALUES (?)"), id)
					return err
				}
			}
			require.NoError(t, kit.Tx(context.Background(), func(ctx context.Context, tx *sql.Tx) error {
				// A feed waits a minute for those that are under way.
				until, bounded := ctx.Deadline()
				require.True(t, bounded)
				require.Less(t, time.Until(until), 31*time.Second)
				return insert(1)(ctx, tx)
			}, nil))
			err = kit.Tx(t.Context(), insert(1), nil)
			require.True(t, kit.IsDuplicate(err), "%v", err)

			tries := 0
			require.NoError(t, kit.Tx(t.Context(), insert(1), func(_ context.Context, err error, lost bool) (bool, error) {
				require.False(t, lost)
				if tries++; tries < 3 {
					return false, sqlkit.ErrAgain
				}
				return true, nil
			}))
			require.Equal(t, 3, tries)

			ctx, cancel := context.WithCancel(t.Context())
			err = kit.Tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
				defer cancel()
				return insert(2)(ctx, tx)
			}, nil)
			require.ErrorIs(t, err, context.Canceled, "cancelled before the COMMIT")
			require.ErrorIs(t, kit.Tx(ctx, insert(2), nil), context.Canceled)
			require.NoError(t, kit.Tx(t.Context(), insert(2), nil), "nothing had been stored")

			// A table with rows that are waited for crosswise: one is chosen,
			// and comes again.
			if dialect == "sqlite" {
				return // has one writer
			}
			var met, all sync.WaitGroup
			met.Add(2)
			runs := make([]int, 2)
			errs := make([]error, 2)
			for i := range 2 {
				all.Go(func() {
					errs[i] = kit.Tx(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
						runs[i]++
						for j := range 2 {
							_, err := tx.ExecContext(ctx, kit.SQL("UPDATE latchwork_things SET id = id WHERE id = ?"), 1+(i+j)%2)
							if err != nil {
								return err
							}
							if j == 0 && runs[i] == 1 {
								met.Done()
								met.Wait()
							}
						}
						return nil
					}, nil)
				})
			}
			all.Wait()
			require.NoError(t, errs[0])
			require.NoError(t, errs[1])
			require.GreaterOrEqual(t, runs[0]+runs[1], 3)
		})
	}
}

// A COMMIT whose answer is lost is looked for, however long the transaction took
// before that and whatever goes wrong in the meantime, but not for ever. Time that
// runs out here is not the caller's.
func TestLostCommits(t *testing.T) {
	for _, dialect := range dialects() {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			d := newDatabase(t, dialect)
			db, faults := d.faulty(t)
			kit, err := sqlkit.New(db, twoVersions(1), sqlkit.Config{Dialect: sqlkit.Dialect(d.dialect), TablePrefix: d.prefix})
			require.NoError(t, err)
			require.NoError(t, kit.Migrate(t.Context()))
			insert := func(id int, takes time.Duration) error {
				return kit.Tx(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
					_, err := tx.ExecContext(ctx, kit.SQL("INSERT INTO latchwork_things (id) VALUES (?)"), id)
					time.Sleep(takes)
					return err
				}, func(_ context.Context, err error, lost bool) (bool, error) {
					if kit.IsDuplicate(err) {
						require.True(t, lost)
						return true, nil
					}
					return false, err
				})
			}
			faults.arm(nil)
			require.NoError(t, insert(1, 0))
			calls := faults.disarm()
			commit := slices.Index(calls, "commit") + 1
			require.NotZero(t, commit)

			faults.arm(map[int]fault{commit: full})
			require.ErrorIs(t, insert(2, 0), errInjected)
			require.Len(t, faults.disarm(), len(calls), "an answer was given, and is not asked for again")

			plan := map[int]fault{commit: lost}
			for i := range 8 {
				plan[commit+1+i] = broken
			}
			faults.arm(plan)
			require.NoError(t, insert(2, 0), "there were other connections that were lost, too")
			faults.disarm()
			if dialect == "postgres" { // once is enough
				faults.arm(map[int]fault{commit: lost})
				require.NoError(t, insert(3, 6*time.Second))
				faults.disarm()
			}

			for i := range 1000 {
				plan[commit+1+i] = broken
			}
			faults.arm(plan)
			began := time.Now()
			err = insert(4, 0)
			faults.disarm()
			require.ErrorIs(t, err, sqlkit.ErrLost)
			require.NotErrorIs(t, err, context.DeadlineExceeded)
			require.NotErrorIs(t, err, context.Canceled)
			require.Less(t, time.Since(began), 5*time.Second)
		})
	}
}
