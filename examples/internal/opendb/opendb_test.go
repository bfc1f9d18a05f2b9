package opendb_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/latchwork/latchwork/examples/internal/opendb"
)

func TestOpenFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a file? with #odd%20 name.db")
	db, err := opendb.Open(t.Context(), path)
	require.NoError(t, err)
	require.Equal(t, "sqlite", db.Dialect)
	for pragma, want := range map[string]string{"journal_mode": "wal", "foreign_keys": "1", "busy_timeout": "10000"} {
		var got string
		require.NoError(t, db.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got))
		require.Equal(t, want, got, pragma)
	}
	require.NoError(t, db.Close())
	_, err = os.Stat(path)
	require.NoError(t, err)
}

// Several hosts begin on a file that is not there yet.
func TestOpenNewFileTogether(t *testing.T) {
	t.Parallel()
	for range 20 {
		path := filepath.Join(t.TempDir(), "new.db")
		var all errgroup.Group
		for range 8 {
			all.Go(func() error {
				db, err := opendb.Open(t.Context(), path)
				if err != nil {
					return err
				}
				return db.Close()
			})
		}
		require.NoError(t, all.Wait())
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, says := range map[string]string{
		"redis://127.0.0.1":                  `database redis://...: want postgres://, mysql:// or the path of a file`,
		"mysql://127.0.0.1":                  "want mysql://user:password@host:3306/database",
		"mysql://a:secret@[::1/x":            "want mysql://user:password@host:3306/database",
		"mysql://a:secret@127.0.0.1:1/x":     "the mysql database does not answer (check that the server runs, ",
		"postgres://a:secret@127.0.0.1:1/x":  "the postgres database does not answer",
		filepath.Join(t.TempDir(), "a", "b"): "the sqlite database does not answer (check that its folder is there and may be written to, and the file, too): ",
	} {
		_, err := opendb.Open(t.Context(), name)
		require.ErrorContains(t, err, says, name)
		require.NotContains(t, err.Error(), "secret", name)
	}
}
