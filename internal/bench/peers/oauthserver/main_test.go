package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth/oauthtest"
)

// start runs the command until the test ends.
func start(t *testing.T, name string) oauthtest.Target {
	t.Helper()
	file := filepath.Join(t.TempDir(), "credentials.json")
	ctx, cancel := context.WithCancel(context.Background())
	reader, stdout := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"-server", name, "-credentials", file}, stdout)
		_ = stdout.CloseWithError(io.EOF)
		ended <- err
	}()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	line, err := bufio.NewReader(reader).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, name+" listens at http://127.0.0.1:")
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	var c credentials
	require.NoError(t, json.Unmarshal(data, &c))
	require.Contains(t, line, c.BaseURL)
	return oauthtest.Target{
		Issuer: c.BaseURL, Endpoints: oauthtest.Endpoints(c.Endpoints),
		Machine: oauthtest.TargetClient(c.Clients.FirstParty), Web: oauthtest.TargetClient(c.Clients.Web), Public: oauthtest.TargetClient(c.Clients.Public),
		Username: c.User.Username, Password: c.User.Password, Scope: "profile",
	}
}

// The servers do what clients ask of them, so that their score is the library's,
// and it is what the README says.
func TestScores(t *testing.T) {
	readme, err := os.ReadFile("../../../../README.md")
	require.NoError(t, err)
	for name, fails := range map[string][]string{
		"fosite":    {"068 a wrong verifier", "089 another client replays"},
		"go-oauth2": {"051 no oracle for passwords without the client's secret", "088 a wrong secret", "089 another client"},
	} {
		t.Run(name, func(t *testing.T) {
			report, err := oauthtest.CheckProtocol(t.Context(), start(t, name))
			require.NoError(t, err)
			t.Log("\n" + report.String())
			failed := map[string]error{}
			for _, r := range report {
				failed[fmt.Sprintf("%03d %s", r.Number, r.Name)] = r.Err
			}
			for _, ordinary := range []string{
				"001 a form in a POST", "023 what an answer says", "030 a code for tokens", "045 a public client's code", "054 the right password",
				"080 no refresh token", "084 a new token for an old one", "115 the state comes back as it went in", "121 no",
			} {
				require.Contains(t, failed, ordinary)
				require.NoError(t, failed[ordinary], ordinary)
			}
			for _, fault := range fails {
				require.Error(t, failed[fault], "%s: the README says that it does", fault)
			}
			all := report.Scores()[len(report.Scores())-1]
			row := regexp.MustCompile(`(?m)^\| ` + name + ` [^|]*\| (\d+) of \d+ \|`).FindStringSubmatch(string(readme))
			require.NotNil(t, row, "the README has no score of %s", name)
			said, err := strconv.Atoi(row[1])
			require.NoError(t, err)
			require.InDelta(t, all.Passed, said, 3, "what many do at once differs from run to run")
		})
	}
}

func TestBadFlags(t *testing.T) {
	for _, args := range [][]string{{}, {"-server", "another"}, {"-server", "fosite"}, {"-server", "fosite", "-credentials", t.TempDir() + "/x/y"}, {"-unknown"}} {
		require.Error(t, run(t.Context(), args, io.Discard), args)
	}
}
