package clients

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A service is a billing program that runs, and its file of credentials.
type service struct {
	file string

	Base string `json:"base_url"`
	User struct {
		Username, Password, ID string
	}
	Clients struct {
		FirstParty registered `json:"first_party"`
		Web        registered
		Public     registered
	}
}

type registered struct {
	ID          string `json:"client_id"`
	Secret      string `json:"client_secret"`
	RedirectURI string `json:"redirect_uri"`
}

// start builds the program and runs it until the test ends, when it must end well.
// Its database is in memory, or a file.
func start(t *testing.T, db string) *service {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "billing")
	output, err := exec.CommandContext(t.Context(), "go", "build", "-C", "../../../examples", "-o", program, "./billing").CombinedOutput()
	require.NoError(t, err, string(output))

	s := &service{file: filepath.Join(dir, "credentials.json")}
	var said bytes.Buffer
	billing := exec.Command(program, "-addr", "127.0.0.1:0", "-db", db, "-credentials", s.file)
	billing.Dir = dir
	billing.Stderr = &said
	stdout, err := billing.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, billing.Start())
	ended := make(chan error, 1)
	listens := make(chan struct{})
	go func() {
		lines := bufio.NewScanner(stdout)
		if lines.Scan() {
			close(listens)
		}
		for lines.Scan() { // or it would wait for a reader
		}
		ended <- billing.Wait()
	}()
	t.Cleanup(func() {
		_ = billing.Process.Signal(syscall.SIGTERM) // if it is gone, the next line says so
		require.NoError(t, <-ended, said.String())
		require.NotContains(t, said.String(), s.User.Password)
	})
	select {
	case <-listens:
	case <-time.After(time.Minute):
		require.FailNow(t, "billing does not start", said.String())
	}
	data, err := os.ReadFile(s.file)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, s))
	return s
}

// metadata returns the document of RFC 8414.
func (s *service) metadata(t *testing.T) map[string]any {
	t.Helper()
	answered, err := http.Get(s.Base + "/.well-known/oauth-authorization-server")
	require.NoError(t, err)
	defer func() { _ = answered.Body.Close() }()
	var found map[string]any
	require.NoError(t, json.NewDecoder(answered.Body).Decode(&found))
	require.Equal(t, s.Base, found["issuer"])
	return found
}

// callback returns a redirect URI with another port than the registered one,
// RFC 8252 section 7.3.
func callback(t *testing.T, c registered, at string) string {
	t.Helper()
	u, err := url.Parse(c.RedirectURI)
	require.NoError(t, err)
	u.Host = strings.TrimPrefix(at, "http://")
	return fmt.Sprint(u)
}
