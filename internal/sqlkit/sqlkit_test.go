package sqlkit_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/internal/sqlkit"
)

func pkg(files map[string]string) sqlkit.Package {
	tree := fstest.MapFS{}
	for name, text := range files {
		tree[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return sqlkit.Package{Name: "testsql", Versions: "latchwork_test_schema", Files: tree}
}

func open(t *testing.T, cfg sqlkit.Config) *sqlkit.DB {
	t.Helper()
	d, err := sqlkit.New(new(sql.DB), pkg(nil), cfg)
	require.NoError(t, err)
	return d
}

func TestConfig(t *testing.T) {
	for prefix, ok := range map[string]bool{
		"":                             true,
		"a":                            true,
		"billing_":                     true,
		"b2_x":                         true,
		strings.Repeat("p", 32):        true,
		strings.Repeat("p", 33):        false,
		"Billing_":                     false,
		"2b_":                          false,
		"_b":                           false,
		"b-":                           false,
		"b.":                           false,
		"b ":                           false,
		`b"; DROP TABLE latchwork_x--`: false,
		"bü":                           false,
		"b\x00":                        false,
	} {
		_, err := sqlkit.New(new(sql.DB), pkg(nil), sqlkit.Config{Dialect: sqlkit.SQLite, TablePrefix: prefix})
		if ok {
			require.NoError(t, err, prefix)
			continue
		}
		require.ErrorContains(t, err, "testsql: TablePrefix", prefix)
	}
	_, err := sqlkit.New(nil, pkg(nil), sqlkit.Config{TablePrefix: "-"})
	require.ErrorContains(t, err, "the *sql.DB is nil")
	require.ErrorContains(t, err, "no Dialect is set")
	require.ErrorContains(t, err, "TablePrefix")
	_, err = sqlkit.New(new(sql.DB), pkg(nil), sqlkit.Config{Dialect: "oracle"})
	require.ErrorContains(t, err, `unknown Dialect "oracle"`)
	require.ErrorContains(t, pkg(nil).Migrate(t.Context(), nil, sqlkit.Config{Dialect: sqlkit.SQLite}), "the *sql.DB is nil")
	_, err = pkg(nil).Migrations(sqlkit.Config{})
	require.ErrorContains(t, err, "no Dialect is set")
}

func TestSQL(t *testing.T) {
	const text = "SELECT a FROM latchwork_t WHERE b = ? AND c IN (?, ?)"
	for _, c := range []struct {
		cfg  sqlkit.Config
		want string
	}{
		{sqlkit.Config{Dialect: sqlkit.SQLite}, text},
		{sqlkit.Config{Dialect: sqlkit.MySQL, TablePrefix: "x_"}, "SELECT a FROM x_t WHERE b = ? AND c IN (?, ?)"},
		{sqlkit.Config{Dialect: sqlkit.PostgreSQL}, "SELECT a FROM latchwork_t WHERE b = $1 AND c IN ($2, $3)"},
	} {
		d := open(t, c.cfg)
		require.Equal(t, c.want, d.SQL(text))
		require.Equal(t, c.cfg.Dialect, d.Dialect())
	}
	require.Empty(t, sqlkit.Marks(0))
	require.Equal(t, "?", sqlkit.Marks(1))
	require.Equal(t, "?, ?", sqlkit.Marks(2))
	require.Equal(t, "(?, ?), (?, ?), (?, ?)", sqlkit.Rows(3, 2))
}

func TestTimes(t *testing.T) {
	for _, at := range []time.Time{
		{}, time.Unix(0, 0).UTC(), time.Unix(0, -1000).UTC(), time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
	} {
		for _, src := range []any{sqlkit.Micros(at), fmt.Append(nil, sqlkit.Micros(at))} {
			var back sqlkit.Time
			require.NoError(t, back.Scan(src))
			require.Equal(t, at, time.Time(back))
		}
	}
	require.Nil(t, sqlkit.NullMicros(time.Time{}))
	require.Equal(t, int64(0), sqlkit.NullMicros(time.Unix(0, 0)))
	back := sqlkit.Time(time.Now())
	require.NoError(t, back.Scan(nil))
	require.True(t, time.Time(back).IsZero())
	require.Error(t, back.Scan([]byte("2026-01-01")))
	require.Error(t, back.Scan(time.Now()))
}

func TestText(t *testing.T) {
	require.True(t, sqlkit.IsText("ü \t\n"))
	require.False(t, sqlkit.IsText("a\x00"))
	require.False(t, sqlkit.IsText("\xff"))
	require.Equal(t, "abcz[`Äİ\u212a", sqlkit.FoldASCII("ABCZ[`Äİ\u212a"))
}

func FuzzAppendStrings(f *testing.F) {
	f.Add("plain", `"quoted" \`, "\x01\x1f\u2028<&>")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		list := []string{a, b, c}
		if slices.ContainsFunc(list, func(s string) bool { return !sqlkit.IsText(s) }) {
			t.Skip()
		}
		var back []string
		require.NoError(t, json.Unmarshal(sqlkit.AppendStrings(nil, list), &back))
		require.Equal(t, list, back)
	})
}

func TestAppendStrings(t *testing.T) {
	require.Equal(t, `[]`, string(sqlkit.AppendStrings(nil, nil)))
	require.Equal(t, `x["a<","\u0001\"\\"]`, string(sqlkit.AppendStrings([]byte("x"), []string{"a<", "\x01\"\\"})))
}

func TestIntern(t *testing.T) {
	parsed := 0
	in := sqlkit.NewIntern(func(text []byte) (int, error) {
		parsed++
		if len(text) == 0 {
			return 0, errors.New("empty")
		}
		return len(text), nil
	})
	read := func(src any) (int, error) {
		cell := sqlkit.Cell[int]{Intern: in}
		err := cell.Scan(src)
		return cell.Value, err
	}
	for _, src := range []any{"abc", []byte("abc"), "abc"} {
		n, err := read(src)
		require.NoError(t, err)
		require.Equal(t, 3, n)
	}
	require.Equal(t, 1, parsed, "a known text is not read again")
	for range 2 {
		_, err := read("")
		require.EqualError(t, err, "empty", "what cannot be read is not remembered")
	}
	require.Equal(t, 3, parsed)
	_, err := read(nil)
	require.Error(t, err, "NULL")
	long := strings.Repeat("x", 1<<20)
	for range 2 {
		n, err := read(long)
		require.NoError(t, err)
		require.Equal(t, 1<<20, n)
	}
	require.Equal(t, 5, parsed, "what is very long is not remembered")
	for i := range 10_000 {
		_, err := read(fmt.Append(nil, i))
		require.NoError(t, err)
	}
	before := parsed
	_, err = read("9999")
	require.NoError(t, err)
	require.Equal(t, before, parsed)
	_, err = read("0")
	require.NoError(t, err)
	require.Equal(t, before+1, parsed, "there is an end to what is remembered")
}

// Errors as drivers have them.
type (
	stateError  string
	mysqlError  struct{ Number uint16 }
	fieldError  struct{ Code, ExtendedCode int }
	methodError struct{ code int }
	otherError  struct{ Code string }
)

func (e stateError) Error() string    { return "state " + string(e) }
func (e stateError) SQLState() string { return string(e) }
func (e *mysqlError) Error() string   { return "number" }
func (e fieldError) Error() string    { return "UNIQUE constraint failed" }
func (e *methodError) Error() string  { return "no such table: t" }
func (e *methodError) Code() int      { return e.code }
func (e otherError) Error() string    { return "other" }

func TestDuplicates(t *testing.T) {
	for _, c := range []struct {
		dialect sqlkit.Dialect
		err     error
		want    bool
	}{
		{sqlkit.PostgreSQL, stateError("23505"), true},
		{sqlkit.PostgreSQL, fmt.Errorf("wrapped: %w", stateError("23505")), true},
		{sqlkit.PostgreSQL, stateError("23503"), false},
		{sqlkit.MySQL, &mysqlError{1062}, true},
		{sqlkit.MySQL, fmt.Errorf("wrapped: %w", &mysqlError{1062}), true},
		{sqlkit.MySQL, &mysqlError{1452}, false},
		{sqlkit.SQLite, fieldError{19, 2067}, true},
		{sqlkit.SQLite, fieldError{19, 1555}, true},
		{sqlkit.SQLite, fieldError{19, 787}, false},
		{sqlkit.SQLite, &methodError{2067}, true},
		{sqlkit.SQLite, &methodError{787}, false},
		{sqlkit.SQLite, (*methodError)(nil), false},
		{sqlkit.SQLite, otherError{"2067"}, false},
		{sqlkit.SQLite, &mysqlError{1062}, false},
		{sqlkit.MySQL, &methodError{2067}, false},
		{sqlkit.SQLite, errors.New("UNIQUE"), false},
		{sqlkit.SQLite, nil, false},
	} {
		require.Equal(t, c.want, open(t, sqlkit.Config{Dialect: c.dialect}).IsDuplicate(c.err), "%s %v", c.dialect, c.err)
	}
	injected := open(t, sqlkit.Config{Dialect: sqlkit.SQLite, SQLState: func(err error) string {
		if err.Error() == "mine" {
			return "23505"
		}
		return ""
	}})
	require.True(t, injected.IsDuplicate(errors.New("mine")))
	require.True(t, injected.IsDuplicate(fieldError{19, 2067}), "an empty answer leaves it to what is known")
}

func TestFail(t *testing.T) {
	for _, c := range []struct {
		dialect sqlkit.Dialect
		err     error
		want    string
	}{
		{sqlkit.PostgreSQL, stateError("42P01"), "run testsql.Migrate"},
		{sqlkit.MySQL, &mysqlError{1146}, "run testsql.Migrate"},
		{sqlkit.SQLite, &methodError{1}, "run testsql.Migrate"},
		{sqlkit.PostgreSQL, stateError("25006"), "read-only"},
		{sqlkit.MySQL, &mysqlError{1290}, "read-only"},
		{sqlkit.SQLite, fieldError{8, 1032}, "read-only"},
		{sqlkit.PostgreSQL, stateError("53100"), "the disk is full"},
		{sqlkit.MySQL, &mysqlError{1021}, "the disk is full"},
		{sqlkit.MySQL, fmt.Errorf("rows: %w", errors.Join(errors.New("close"), &mysqlError{1021})), "the disk is full"},
		{sqlkit.SQLite, fieldError{13, 13}, "the disk is full"},
		{sqlkit.MySQL, errors.New("else"), "testsql: find: else"},
	} {
		err := open(t, sqlkit.Config{Dialect: c.dialect}).Fail(t.Context(), "find", c.err)
		require.ErrorIs(t, err, c.err)
		require.ErrorContains(t, err, "testsql: find: ")
		require.ErrorContains(t, err, c.want)
	}
	d := open(t, sqlkit.Config{Dialect: sqlkit.SQLite})
	require.NoError(t, d.Fail(t.Context(), "find", nil))
	over, cancel := context.WithCancel(t.Context())
	cancel()
	cause := errors.New("interrupted")
	require.ErrorIs(t, d.Fail(over, "find", cause), context.Canceled)
	require.ErrorIs(t, d.Fail(over, "find", cause), cause)
	require.EqualError(t, d.Fail(over, "find", context.Canceled), "testsql: find: context canceled")
}

func TestMigrations(t *testing.T) {
	p := pkg(map[string]string{
		"migrations/sqlite/0001_a.sql": "CREATE TABLE latchwork_a (b)",
		"migrations/sqlite/0002_c.sql": "CREATE INDEX latchwork_c ON latchwork_a (b)",
		"migrations/mysql/0002_a.sql":  "",
	})
	files, err := p.Migrations(sqlkit.Config{Dialect: sqlkit.SQLite, TablePrefix: "x_"})
	require.NoError(t, err)
	require.NoError(t, fstest.TestFS(files, "0001_a.sql", "0002_c.sql"))
	file, err := files.Open("0002_c.sql")
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	text := make([]byte, 100)
	n, _ := file.Read(text)
	require.Equal(t, "CREATE INDEX x_c ON x_a (b)", string(text[:n]))

	_, err = p.Migrations(sqlkit.Config{Dialect: sqlkit.MySQL})
	require.ErrorContains(t, err, "0002_a.sql is out of order")
}

func TestVersionError(t *testing.T) {
	for _, c := range []struct {
		have int
		want string
	}{
		{0, "testsql: there is no schema in this database: call testsql.Migrate(ctx, db, cfg) first"},
		{1, "testsql: the schema has version 1, and this program needs version 2: call testsql.Migrate(ctx, db, cfg) first"},
		{3, "testsql: the schema has version 3, and this program knows version 2: run a newer release of github.com/latchwork/latchwork"},
	} {
		require.EqualError(t, &sqlkit.VersionError{Package: "testsql", Have: c.have, Want: 2}, c.want)
	}
}

func TestIn(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{1: "(?)", 2: "(?, ?)", 3: "(?, ?, ?, ?)", 4: "(?, ?, ?, ?)", 5: "(?, ?, ?, ?, ?, ?, ?, ?)"} {
		values := make([]any, n, n+1)
		for i := range values {
			values[i] = i
		}
		list, padded := sqlkit.In(values)
		require.Equal(t, want, list)
		require.Equal(t, values, padded[:n])
		require.Len(t, padded, strings.Count(list, "?"))
		for _, more := range padded[n:] {
			require.Equal(t, n-1, more)
		}
	}
	list, padded := sqlkit.In(nil)
	require.Equal(t, "()", list)
	require.Empty(t, padded)
}
