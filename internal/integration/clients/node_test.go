package clients

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The programs in testdata/node check everything themselves. This is the person
// they send to the pages, and counts what they say they have done.
func TestNode(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("testdata/node")))
	npm := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-bin-links", "--prefer-offline")
	npm.Dir = dir
	output, err := npm.CombinedOutput()
	require.NoError(t, err, "npm is not there, or cannot install (apt-get install nodejs npm): %s", output)

	for program, want := range map[string][]string{
		"openid-client.mjs": {
			"metadata", "from a challenge to the issuer", "code with client_secret_basic", "code with client_secret_post", "code with none",
			"client credentials", "password and introspection", "wrong secret",
		},
		"simple-oauth2.mjs": {
			"code with the header", "code with the body", "code with a header that is not encoded",
			"client credentials", "password", "wrong secret",
		},
	} {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, want, node(t, dir, program, start(t, "memory:")))
		})
	}
}

// node runs a program and returns the steps that it has done.
func node(t *testing.T, dir, program string, s *service) (done []string) {
	t.Helper()
	somebody := newPerson(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute) // a client that waits for something is ended
	defer cancel()
	var said bytes.Buffer
	client := exec.CommandContext(ctx, "node", program, s.file)
	client.Dir, client.Stderr = dir, &said
	stdout, err := client.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, client.Start())
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		var line struct{ Done, Open, Decision string }
		require.NoError(t, json.Unmarshal(lines.Bytes(), &line), lines.Text())
		if line.Open != "" {
			somebody.visit(line.Open, line.Decision)
		} else {
			done = append(done, line.Done)
		}
	}
	require.NoError(t, client.Wait(), "after %q: %s", done, &said)
	return done
}
