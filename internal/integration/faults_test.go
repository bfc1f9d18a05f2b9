package integration

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/apikey/apikeysql"
	"github.com/latchwork/latchwork/internal/credential"
	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/oauth/oauthsql"
	"github.com/latchwork/latchwork/scope"
)

// patience is how long those wait who call a store whose calls hang.
const patience = 100 * time.Millisecond

// impatient calls with a context that ends soon.
func impatient(t *testing.T, call func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return call(ctx)
}

// isRecovered reports whether a store must find out by itself that all is well:
// everything was done, and the answer to the COMMIT is missing, whatever else
// goes wrong then.
func isRecovered(what string) bool {
	return strings.HasPrefix(what, string(lost)+" at commit") || strings.HasPrefix(what, string(hangs)+" at commit")
}

// eachFaultyKeys runs a test with a store of keys whose calls fail, and one on
// the same database whose calls do not.
func eachFaultyKeys(t *testing.T, test func(t *testing.T, f keyFixture, failing *apikeysql.Store, withFaults func(run func(t *testing.T, what string)))) {
	t.Helper()
	eachKeyStore(t, func(t *testing.T, f keyFixture) {
		db, faults := f.faulty(t)
		failing := f.keyStore(t, db)
		warm := func() error {
			r := newRecord()
			err := failing.Create(t.Context(), r, eventOf(r, apikey.Created, start))
			r.Key.Version++
			return errors.Join(err, failing.Update(t.Context(), r, eventOf(r, apikey.Updated, start)))
		}
		test(t, f, failing, func(run func(t *testing.T, what string)) { withFaults(t, faults, warm, run) })
	})
}

// trace returns whether a record stands there as it is, with its event and its
// change; half of it ends the test.
func (f keyFixture) trace(t *testing.T, what string, r apikey.Record, e apikey.Event) bool {
	t.Helper()
	count := func(table, where string, args ...any) (n int) {
		require.NoError(t, f.db.QueryRowContext(t.Context(), f.numbered("SELECT COUNT(*) FROM "+f.prefix+table+" WHERE "+where), args...).Scan(&n))
		return n
	}
	events := count("key_events", "id = ?", e.ID)
	changes := count("key_changes", "key_id = ? AND version = ?", r.Key.ID, r.Key.Version)
	got, err := f.store.Get(t.Context(), r.Key.ID)
	if err != nil {
		require.ErrorIs(t, err, apikey.ErrNotFound, what)
	}
	there := err == nil && got.Key.Version == r.Key.Version
	if !there {
		require.Zero(t, events+changes, "%s: an event or a change without the record", what)
		return false
	}
	require.Equal(t, []int{1, 1}, []int{events, changes}, what)
	require.Equal(t, r.Secrets, got.Secrets, what)
	require.Equal(t, r.Key.RevokedAt, got.Key.RevokedAt, what)
	return true
}

func TestFaultsInCreate(t *testing.T) {
	t.Parallel()
	eachFaultyKeys(t, func(t *testing.T, f keyFixture, failing *apikeysql.Store, withFaults func(run func(t *testing.T, what string))) {
		withFaults(func(t *testing.T, what string) {
			r := newRecord()
			e := eventOf(r, apikey.Created, start)
			err := impatient(t, func(ctx context.Context) error { return failing.Create(ctx, r, e) })
			require.NotErrorIs(t, err, apikey.ErrExists, "%s: taken by itself", what)
			there := f.trace(t, what, r, e)
			if isRecovered(what) {
				require.NoError(t, err, what)
			}
			if err == nil {
				require.True(t, there, "%s: it was acknowledged", what)
			}
		})
	})
}

// A revocation that was acknowledged is there, and one that was not is either
// there or can be made again.
func TestFaultsInUpdate(t *testing.T) {
	t.Parallel()
	eachFaultyKeys(t, func(t *testing.T, f keyFixture, failing *apikeysql.Store, withFaults func(run func(t *testing.T, what string))) {
		withFaults(func(t *testing.T, what string) {
			before := f.create(t)
			r := before.Clone()
			r.Key.Version++
			r.Key.RevokedAt = start
			e := eventOf(r, apikey.Revoked, start)
			err := impatient(t, func(ctx context.Context) error { return failing.Update(ctx, r, e) })
			require.NotErrorIs(t, err, apikey.ErrConflict, "%s: changed by itself", what)
			there := f.trace(t, what, r, e)
			if isRecovered(what) {
				require.NoError(t, err, what)
			}
			if err == nil {
				require.True(t, there, "%s: it was acknowledged", what)
			}
			if !there {
				require.NoError(t, f.store.Update(t.Context(), r, e), what)
			}
		})
	})
}

func TestFaultsInRehash(t *testing.T) {
	t.Parallel()
	eachFaultyKeys(t, func(t *testing.T, f keyFixture, failing *apikeysql.Store, withFaults func(run func(t *testing.T, what string))) {
		withFaults(func(t *testing.T, what string) {
			r := f.create(t)
			moved := newRecord().Secrets[0]
			err := impatient(t, func(ctx context.Context) error { return failing.Rehash(ctx, r.Key.ID, r.Secrets[0].Hash, moved) })
			got, get := f.store.Get(t.Context(), r.Key.ID)
			require.NoError(t, get, what)
			require.Len(t, got.Secrets, 1, what)
			if err == nil {
				require.Equal(t, moved.Hash, got.Secrets[0].Hash, what)
			}
			require.NoError(t, f.store.Rehash(t.Context(), r.Key.ID, r.Secrets[0].Hash, moved), what)
			got, get = f.store.Get(t.Context(), r.Key.ID)
			require.NoError(t, get, what)
			require.Equal(t, moved.Hash, got.Secrets[0].Hash, what)
		})
	})
}

// What was counted is there once, or not at all, and an error that does not say
// that nobody knows means not at all.
func TestFaultsInRecord(t *testing.T) {
	t.Parallel()
	eachFaultyKeys(t, func(t *testing.T, f keyFixture, failing *apikeysql.Store, withFaults func(run func(t *testing.T, what string))) {
		withFaults(func(t *testing.T, what string) {
			use := apikey.Use{
				KeyID: newID(), LastAt: start,
				Day: apikey.Day{Date: start.Truncate(24 * time.Hour), Counts: apikey.Counts{Allowed: 1}},
			}
			err := impatient(t, func(ctx context.Context) error { return failing.Record(ctx, []apikey.Use{use}) })
			days, usage := f.store.Usage(t.Context(), use.KeyID, time.Time{})
			require.NoError(t, usage, what)
			last, used := f.store.LastUsed(t.Context(), []string{use.KeyID})
			require.NoError(t, used, what)
			require.Len(t, last, len(days), what)
			switch {
			case err == nil:
				require.Equal(t, []apikey.Day{use.Day}, days, what)
			case errors.Is(err, apikey.ErrUncertain):
				if len(days) > 0 {
					require.Equal(t, []apikey.Day{use.Day}, days, what)
				}
			default:
				require.Empty(t, days, "%s: %v", what, err)
			}
		})
	})
}

// warmGrants makes every call of a store that a fault can meet.
func warmGrants(t *testing.T, store *oauthsql.Store) func() error {
	return func() error {
		g, c := newGrant()
		access, refresh := newCredential(g, oauth.KindAccess), newCredential(g, oauth.KindRefresh)
		err := store.CreateGrant(t.Context(), g, c, newCredential(g, oauth.KindAccess))
		_, first := store.Spend(t.Context(), newSpend(c), access, refresh)
		_, second := store.Spend(t.Context(), newSpend(c))
		_, _, lookup := store.Lookup(t.Context(), c.Hash)
		return errors.Join(err, first, second, lookup)
	}
}

// A spend that fails has spent nothing, or everything is stored; made again, it
// knows itself, and nobody else is ever the first.
func TestFaultsInSpend(t *testing.T) {
	t.Parallel()
	eachOAuthStore(t, func(t *testing.T, f oauthFixture) {
		db, faults := f.faulty(t)
		failing := f.oauthStore(t, db)
		withFaults(t, faults, warmGrants(t, failing), func(t *testing.T, what string) {
			g, refresh := newGrant()
			require.NoError(t, f.store.CreateGrant(t.Context(), g, refresh))
			issue := []oauth.Credential{newCredential(g, oauth.KindAccess), newCredential(g, oauth.KindRefresh)}
			own := newSpend(refresh)
			var spent oauth.Spent
			err := impatient(t, func(ctx context.Context) (err error) {
				spent, err = failing.Spend(ctx, own, issue...)
				return err
			})
			held, of, lookup := f.store.Lookup(t.Context(), refresh.Hash)
			require.NoError(t, lookup, what)
			require.True(t, of.RevokedAt.IsZero(), what)
			if isRecovered(what) {
				require.NoError(t, err, what)
			}
			stored := 0
			for _, c := range issue {
				_, _, lookup := f.store.Lookup(t.Context(), c.Hash)
				if lookup == nil {
					stored++
				} else {
					require.ErrorIs(t, lookup, oauth.ErrNotFound, what)
				}
			}
			switch {
			case err == nil:
				require.True(t, spent.First, "%s: taken for somebody else", what)
				require.Equal(t, len(issue), stored, what)
			case held.SpentAt.IsZero():
				require.Zero(t, stored, "%s: issued without having spent", what)
			default:
				require.Equal(t, own.Attempt, held.Attempt, what)
				require.Equal(t, len(issue), stored, what)
			}
			again, err := f.store.Spend(t.Context(), own, issue...)
			require.NoError(t, err, what)
			require.True(t, again.First, "%s: our own retry is taken for a thief's", what)
			thief, err := f.store.Spend(t.Context(), newSpend(refresh), newCredential(g, oauth.KindAccess))
			require.NoError(t, err, what)
			require.False(t, thief.First, "%s: two winners", what)
			require.Equal(t, own.Attempt, thief.Attempt, what)
		})
	})
}

func TestFaultsInCreateGrant(t *testing.T) {
	t.Parallel()
	eachOAuthStore(t, func(t *testing.T, f oauthFixture) {
		db, faults := f.faulty(t)
		failing := f.oauthStore(t, db)
		withFaults(t, faults, warmGrants(t, failing), func(t *testing.T, what string) {
			g, refresh := newGrant()
			access := newCredential(g, oauth.KindAccess)
			err := impatient(t, func(ctx context.Context) error { return failing.CreateGrant(ctx, g, access, refresh) })
			require.NotErrorIs(t, err, oauth.ErrExists, "%s: taken by itself", what)
			if isRecovered(what) {
				require.NoError(t, err, what)
			}
			grants, list := f.store.Grants(t.Context(), oauth.Filter{GrantID: g.ID}, oauth.Page{Limit: 1})
			require.NoError(t, list, what)
			stored := len(grants)
			for _, c := range []oauth.Credential{access, refresh} {
				if _, _, lookup := f.store.Lookup(t.Context(), c.Hash); lookup == nil {
					stored++
				}
			}
			require.Contains(t, []int{0, 3}, stored, "%s: half of it is there", what)
			if err == nil {
				require.Equal(t, 3, stored, "%s: it was acknowledged", what)
			}
		})
	})
}

// A revocation of grants that was acknowledged is there, and can be made again.
func TestFaultsInRevokeGrants(t *testing.T) {
	t.Parallel()
	eachOAuthStore(t, func(t *testing.T, f oauthFixture) {
		db, faults := f.faulty(t)
		failing := f.oauthStore(t, db)
		withFaults(t, faults, warmGrants(t, failing), func(t *testing.T, what string) {
			g, c := newGrant()
			require.NoError(t, f.store.CreateGrant(t.Context(), g, c))
			filter := oauth.Filter{GrantID: g.ID}
			err := impatient(t, func(ctx context.Context) error {
				_, err := failing.RevokeGrants(ctx, filter, start)
				return err
			})
			_, of, lookup := f.store.Lookup(t.Context(), c.Hash)
			require.NoError(t, lookup, what)
			if err == nil {
				require.Equal(t, start, of.RevokedAt, what)
			}
			_, err = f.store.RevokeGrants(t.Context(), filter, start)
			require.NoError(t, err, what)
			_, err = f.store.Spend(t.Context(), newSpend(c))
			require.ErrorIs(t, err, oauth.ErrRevoked, what)
		})
	})
}

// eachFaultyClients runs a test with Clients on every database whose calls fail,
// and with Clients whose calls do not.
func eachFaultyClients(t *testing.T, test func(t *testing.T, failing, healthy *oauth.Clients, withFaults func(run func(t *testing.T, what string)))) {
	t.Helper()
	eachOAuthStore(t, func(t *testing.T, f oauthFixture) {
		db, faults := f.faulty(t)
		store := f.oauthStore(t, db)
		failing, err := oauth.NewClients(store, store, oauth.ClientsConfig{})
		require.NoError(t, err)
		healthy, err := oauth.NewClients(f.store, f.store, oauth.ClientsConfig{})
		require.NoError(t, err)
		warm := func() error {
			_, err := failing.Client(t.Context(), newClient(t, healthy).Client.ID)
			return err
		}
		test(t, failing, healthy, func(run func(t *testing.T, what string)) { withFaults(t, faults, warm, run) })
	})
}

func newClient(t *testing.T, clients *oauth.Clients) oauth.IssuedClient {
	t.Helper()
	issued, err := clients.Create(t.Context(), oauth.ClientSpec{
		Name: "Machine", Grants: []oauth.GrantType{oauth.GrantClientCredentials}, Scopes: scope.MustParseSet("profile"),
	})
	require.NoError(t, err)
	return issued
}

// A secret that is rotated until that succeeds is the new one, and the old one
// overlaps: no retry, ours or the caller's, rotates it away.
func TestFaultsInRotateSecret(t *testing.T) {
	t.Parallel()
	eachFaultyClients(t, func(t *testing.T, failing, healthy *oauth.Clients, withFaults func(run func(t *testing.T, what string))) {
		withFaults(func(t *testing.T, what string) {
			before := newClient(t, healthy).Client
			var rotated oauth.IssuedClient
			rotate := func(ctx context.Context) (err error) {
				rotated, err = failing.RotateSecret(ctx, before.ID, before.Version, time.Hour)
				return err
			}
			err := impatient(t, rotate)
			if isRecovered(what) {
				require.NoError(t, err, what)
			}
			if err != nil {
				require.NotErrorIs(t, err, oauth.ErrConflict, "%s: rotated by itself", what)
				if err = rotate(t.Context()); errors.Is(err, errInjected) { // the second fault
					err = rotate(t.Context())
				}
			}
			got, get := healthy.Client(t.Context(), before.ID)
			require.NoError(t, get, what)
			require.Equal(t, before.Version+1, got.Version, what)
			require.Len(t, got.Secrets, 2, what)
			require.Equal(t, before.Secrets[0].Hash, got.Secrets[1].Hash, "%s: the old secret does not overlap", what)
			if strings.Contains(what, "and then") && errors.Is(err, oauth.ErrConflict) {
				return // nobody could tell that it was stored
			}
			require.NoError(t, err, what)
			require.Equal(t, rotated.Client, got, what)
			require.Equal(t, oauth.Hash(sha256.Sum256([]byte(rotated.Secret.Reveal()))), got.Secrets[0].Hash, what)
		})
	})
}

// What becomes of a client is there once it was acknowledged, and otherwise
// there or not, and can be done again.
func TestFaultsInClients(t *testing.T) {
	t.Parallel()
	eachFaultyClients(t, func(t *testing.T, failing, healthy *oauth.Clients, withFaults func(run func(t *testing.T, what string))) {
		withFaults(func(t *testing.T, what string) {
			var created oauth.IssuedClient
			err := impatient(t, func(ctx context.Context) (err error) {
				created, err = failing.Create(ctx, oauth.ClientSpec{
					Name: "New", Grants: []oauth.GrantType{oauth.GrantClientCredentials}, Scopes: scope.MustParseSet("profile"),
				})
				return err
			})
			require.NotErrorIs(t, err, oauth.ErrExists, "%s: taken by itself", what)
			if isRecovered(what) {
				require.NoError(t, err, what)
			}
			if err == nil {
				got, err := healthy.Client(t.Context(), created.Client.ID)
				require.NoError(t, err, what)
				require.Equal(t, created.Client, got, what)
			}
		})
		withFaults(func(t *testing.T, what string) {
			before := newClient(t, healthy).Client
			rename := func(s *oauth.ClientSpec) { s.Name = "Renamed" }
			err := impatient(t, func(ctx context.Context) error {
				_, err := failing.Update(ctx, before.ID, before.Version, rename)
				return err
			})
			require.NotErrorIs(t, err, oauth.ErrConflict, "%s: changed by itself", what)
			if isRecovered(what) {
				require.NoError(t, err, what)
			}
			got, get := healthy.Client(t.Context(), before.ID)
			require.NoError(t, get, what)
			if err == nil {
				require.Equal(t, "Renamed", got.Name, what)
			}
			if got.Name != "Renamed" {
				require.Equal(t, before, got, "%s: half of it is there", what)
				_, err = healthy.Update(t.Context(), before.ID, before.Version, rename)
				require.NoError(t, err, what)
			}
		})
		withFaults(func(t *testing.T, what string) {
			id := newClient(t, healthy).Client.ID
			err := impatient(t, func(ctx context.Context) error { return failing.Delete(ctx, id) })
			require.NotErrorIs(t, err, oauth.ErrNotFound, "%s: deleted by itself", what)
			if what == string(lost)+" at commit" {
				require.NoError(t, err, what)
			}
			if err != nil {
				if err = healthy.Delete(t.Context(), id); !errors.Is(err, oauth.ErrNotFound) {
					require.NoError(t, err, what)
				}
			}
			_, err = healthy.Client(t.Context(), id)
			require.ErrorIs(t, err, oauth.ErrNotFound, what)
		})
	})
}

// A client that asks again, because its refresh failed, gets its tokens in the
// end: no family is revoked by a retry, neither by the client's nor by ours.
func TestFaultsInRefresh(t *testing.T) {
	t.Parallel()
	eachOAuthStore(t, func(t *testing.T, f oauthFixture) {
		db, faults := f.faulty(t)
		failing := f.oauthStore(t, db)
		secret, stored := oauth.NewClientSecret()
		clients := oauth.StaticClients{{
			ID: "app", Secrets: []oauth.ClientSecret{stored}, Grants: []oauth.GrantType{oauth.GrantRefreshToken}, Scopes: scope.MustParseSet("profile", "invoices"),
		}}
		cfg := oauth.Config{Issuer: "http://127.0.0.1", Prefix: "test", Now: func() time.Time { return start.Add(time.Minute) }}
		server, err := oauth.New(failing, clients, cfg)
		require.NoError(t, err)
		healthy, err := oauth.New(f.store, clients, cfg)
		require.NoError(t, err)
		format, err := credential.New("test_rt")
		require.NoError(t, err)
		refresh := func(s *oauth.Server, token string) (status int, next string) {
			form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/oauth/token", strings.NewReader(form.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.SetBasicAuth("app", secret.Reveal())
			w := httptest.NewRecorder()
			s.TokenHandler().ServeHTTP(w, r)
			var answer struct {
				RefreshToken string `json:"refresh_token"`
			}
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
			return w.Code, answer.RefreshToken
		}
		withFaults(t, faults, warmGrants(t, failing), func(t *testing.T, what string) {
			g, c := newGrant()
			token := format.Generate()
			c.Hash = sha256.Sum256([]byte(token))
			require.NoError(t, f.store.CreateGrant(t.Context(), g, c))
			status, next := refresh(server, token)
			for range 3 {
				if status == http.StatusOK {
					break
				}
				require.Equal(t, http.StatusServiceUnavailable, status, what)
				status, next = refresh(server, token)
			}
			require.Equal(t, http.StatusOK, status, what)
			_, of, err := f.store.Lookup(t.Context(), c.Hash)
			require.NoError(t, err, what)
			require.True(t, of.RevokedAt.IsZero(), "%s: revoked by our own retry", what)
			status, next = refresh(healthy, next)
			require.Equal(t, http.StatusOK, status, "%s: the successor does not work", what)
			require.NotEmpty(t, next, what)
		})
	})
}
