package apikeytest

import (
	"context"
	"fmt"
	"time"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/ipfilter"
	"github.com/latchwork/latchwork/scope"
)

func updateChecks() []check {
	return []check{
		{
			"update", "Update replaces a whole record, secrets included.",
			checkUpdate,
		},
		{
			"update forgets secrets", "Update replaces the secrets, so a hash that the record no longer has is found no more and is free.",
			checkUpdateSecrets,
		},
		{
			"update version", "Update returns ErrConflict, and stores nothing, unless the stored version is the one before the record's.",
			checkUpdateVersion,
		},
		{
			"update missing", "Update returns ErrNotFound, and stores nothing, when there is no such record.",
			checkUpdateMissing,
		},
		{
			"update taken hash", "Update returns ErrExists, and stores nothing, when a new hash is taken by another key.",
			checkUpdateTaken,
		},
	}
}

func checkUpdate(ctx context.Context, t *trial) error {
	other, r, err := t.createTwo(ctx)
	if err != nil {
		return err
	}
	metadata, err := apikey.NewMetadata(map[string]string{"plan": "gold"})
	if err != nil {
		return err
	}
	list := ipfilter.MustParseList("192.0.2.0/24")
	at := start().Add(time.Hour)
	// Each edit changes something else, and the last ones take it back.
	for what, edit := range []func(*apikey.Record){
		func(r *apikey.Record) { r.Key.Name, r.Key.Type, r.Key.Owner = "renamed", "reseller", "account 7" },
		func(r *apikey.Record) { r.Key.Permissions = scope.MustParseSet("*.view", "orders.*") },
		func(r *apikey.Record) { r.Key.AllowedIPs, r.Key.Metadata = &list, metadata },
		func(r *apikey.Record) { r.Key.Hint, r.Key.CreatedBy, r.Key.CreatedAt = "test_zzzz", "key:1", at },
		func(r *apikey.Record) { r.Key.ExpiresAt, r.Key.Enabled = at, false },
		func(r *apikey.Record) { r.Secrets = []apikey.SecretHash{t.secret(), t.secret()} },
		func(r *apikey.Record) { r.Secrets[0].PepperID, r.Secrets[1].Deadline = "p", at },
		func(r *apikey.Record) { r.Key.RevokedAt, r.Key.RevokedReason = at, "lost" },
		func(r *apikey.Record) { r.Key.AllowedIPs, r.Key.Metadata = nil, apikey.Metadata{} },
		func(r *apikey.Record) { r.Key.Permissions, r.Key.ExpiresAt = scope.Set{}, time.Time{} },
		func(r *apikey.Record) { r.Key.Owner, r.Key.Hint, r.Key.Enabled = "", "", true },
		func(*apikey.Record) {},
	} {
		if r, err = t.update(ctx, r, edit); err != nil {
			return fmt.Errorf("edit %d: %w", what+1, err)
		}
		if err := t.is(ctx, r); err != nil {
			return fmt.Errorf("after edit %d: %w", what+1, err)
		}
	}
	return wrap("another record", t.is(ctx, other))
}

func checkUpdateSecrets(ctx context.Context, t *trial) error {
	first, err := t.create(ctx)
	if err != nil {
		return err
	}
	overlap, err := t.update(ctx, first, func(r *apikey.Record) {
		r.Secrets[0].Deadline = start().Add(time.Hour)
		r.Secrets = append([]apikey.SecretHash{t.secret()}, r.Secrets...)
	})
	if err != nil {
		return err
	}
	if err := t.is(ctx, overlap); err != nil {
		return fmt.Errorf("with two secrets: %w", err)
	}
	over, err := t.update(ctx, overlap, func(r *apikey.Record) { r.Secrets = r.Secrets[:1] })
	if err != nil {
		return err
	}
	if err := t.is(ctx, over); err != nil {
		return fmt.Errorf("with one secret again: %w", err)
	}
	if err := t.noHash(ctx, first.Secrets[0].Hash); err != nil {
		return fmt.Errorf("by the secret that was dropped: %w", err)
	}
	reused, err := t.create(ctx, func(r *apikey.Record) { r.Secrets = first.Secrets })
	if err != nil {
		return fmt.Errorf("another key with the hash that was dropped: %w", err)
	}
	return t.is(ctx, reused)
}

func checkUpdateVersion(ctx context.Context, t *trial) error {
	first, err := t.create(ctx)
	if err != nil {
		return err
	}
	now, err := t.update(ctx, first, func(r *apikey.Record) { r.Key.Name = "second" })
	if err != nil {
		return err
	}
	for _, version := range []int64{-1, 0, 1, 2, 4, 5, 1 << 40} {
		stale := next(now, func(r *apikey.Record) {
			r.Key.Name, r.Key.Version = "stale", version
			r.Secrets = []apikey.SecretHash{t.secret()}
		})
		call := fmt.Sprintf("Update of version 2 by version %d", version)
		if err := fails(call, t.Store.Update(ctx, stale, t.event(stale, apikey.Updated)), apikey.ErrConflict); err != nil {
			return err
		}
		if err := t.is(ctx, now); err != nil {
			return fmt.Errorf("%s: afterwards: %w", call, err)
		}
		if err := t.noHash(ctx, stale.Secrets[0].Hash); err != nil {
			return fmt.Errorf("%s: %w", call, err)
		}
	}
	return nil
}

func checkUpdateMissing(ctx context.Context, t *trial) error {
	if _, err := t.create(ctx); err != nil {
		return err
	}
	for _, version := range []int64{1, 2} {
		ghost := t.record(func(r *apikey.Record) { r.Key.Version = version })
		if err := fails("Update", t.Store.Update(ctx, ghost, t.event(ghost, apikey.Updated)), apikey.ErrNotFound); err != nil {
			return err
		}
		if err := t.isNot(ctx, ghost); err != nil {
			return err
		}
	}
	return nil
}

func checkUpdateTaken(ctx context.Context, t *trial) error {
	r, other, err := t.createTwo(ctx)
	if err != nil {
		return err
	}
	fresh := t.secret()
	for what, secrets := range map[string][]apikey.SecretHash{
		"to the hash of another key":       other.Secrets,
		"with the hash of another key too": {fresh, other.Secrets[0]},
		"to one hash twice":                {fresh, {Hash: fresh.Hash, PepperID: "p"}},
	} {
		stolen := next(r, func(r *apikey.Record) { r.Key.Name, r.Secrets = "thief", secrets })
		if err := fails("Update "+what, t.Store.Update(ctx, stolen, t.event(stolen, apikey.Updated)), apikey.ErrExists); err != nil {
			return err
		}
		for _, unchanged := range []apikey.Record{r, other} {
			if err := t.is(ctx, unchanged); err != nil {
				return fmt.Errorf("Update %s: afterwards: %w", what, err)
			}
		}
		if err := t.noHash(ctx, fresh.Hash); err != nil {
			return fmt.Errorf("Update %s: %w", what, err)
		}
	}
	return nil
}
