package clients

import (
	"os/exec"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// The README's command, with which the score of billing is reproduced.
func TestScore(t *testing.T) {
	t.Parallel()
	for _, db := range []string{"memory:", "billing.db"} {
		t.Run(db, func(t *testing.T) {
			s := start(t, db)
			score := exec.CommandContext(t.Context(), "go", "run", "-C", "..", "./oauthscore", "-credentials", s.file, "-resource", "/api/me")
			output, err := score.CombinedOutput()
			require.NoError(t, err, string(output))
			t.Log("\n" + string(output))
			all := regexp.MustCompile(`(?m)^all +(\d+) of +(\d+)$`).FindStringSubmatch(string(output))
			require.NotNil(t, all, "everything is offered")
			require.Equal(t, all[2], all[1])
		})
	}
}
