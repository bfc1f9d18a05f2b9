package apikeytest

import (
	"context"
	"fmt"
	"strings"

	"github.com/latchwork/latchwork/apikey"
)

func textChecks() []check {
	return []check{
		{
			"text", "Texts come back as they went in, whatever characters they have.",
			checkText,
		},
		{
			"ids byte for byte", "Get returns the record with this ID, byte for byte.",
			checkIDs,
		},
		{
			"hostile text", "Whatever is asked for, what is not there is a miss and not an error.",
			checkHostile,
		},
	}
}

// texts returns what a careless store cuts, trims, folds or chokes on.
func texts() []string {
	return []string{
		"",
		" leading and trailing ",
		`it's "quoted" and \escaped\ and %s 100% a_b ?`,
		`'; DROP TABLE keys; --`,
		"<script>alert(1)</script> & \u202eltr",
		"Ünïcødé \u00e9 e\u0301 \u65e5\u672c\u8a9e \U0001F511 \u0130\u0131 \u00df\u1e9e",
		"NULL", "0", "1e3", "true", "{}", "null",
		strings.Repeat("\U0001F511", 255),
	}
}

func checkText(ctx context.Context, t *trial) error {
	for _, text := range texts() {
		account := text
		for len(account) > 255 {
			account = account[:len(account)-len("\U0001F511")]
		}
		r, err := t.create(ctx, func(r *apikey.Record) {
			r.Key.Name, r.Key.RevokedReason = text, text
			r.Key.Owner, r.Key.CreatedBy = account, account
		})
		if err != nil {
			return fmt.Errorf("%.60q: %w", text, err)
		}
		if err := t.is(ctx, r); err != nil {
			return fmt.Errorf("%.60q: %w", text, err)
		}
	}
	r, err := t.create(ctx, func(r *apikey.Record) {
		longest := strings.Repeat("z", 32)
		r.Key.Type, r.Key.Hint, r.Secrets[0].PepperID = longest, longest+"_Zz9Z", longest
		r.Key.Owner, r.Key.CreatedBy = strings.Repeat("o", 255), "key:"+strings.Repeat("c", 251)
	})
	if err != nil {
		return err
	}
	return t.is(ctx, r)
}

func checkIDs(ctx context.Context, t *trial) error {
	lower, err := t.create(ctx)
	if err != nil {
		return err
	}
	id := lower.Key.ID
	other := strings.ToUpper(id)
	for _, near := range []string{other, id + " ", " " + id, id[:len(id)-1], strings.ReplaceAll(id, "-", ""), "{" + id + "}"} {
		if err := t.noID(ctx, near); err != nil {
			return err
		}
		ghost := next(lower, func(r *apikey.Record) { r.Key.ID = near })
		call := fmt.Sprintf("Update of %q", near)
		if err := fails(call, t.Store.Update(ctx, ghost, t.event(ghost, apikey.Updated)), apikey.ErrNotFound); err != nil {
			return err
		}
		if err := t.Store.Rehash(ctx, near, lower.Secrets[0].Hash, apikey.SecretHash{Hash: t.hash()}); err != nil {
			return fmt.Errorf("Rehash of %q: %w", near, err)
		}
		if err := t.is(ctx, lower); err != nil {
			return fmt.Errorf("after changes of %q: %w", near, err)
		}
	}
	upper, err := t.create(ctx, func(r *apikey.Record) { r.Key.ID = other })
	if err != nil {
		return fmt.Errorf("%q beside %q: %w", other, id, err)
	}
	if err := t.is(ctx, upper); err != nil {
		return err
	}
	return t.is(ctx, lower)
}

func checkHostile(ctx context.Context, t *trial) error {
	if _, err := t.create(ctx); err != nil {
		return err
	}
	for _, text := range []string{"\x00", "a\x00b", "\xff\xfe", "\xed\xa0\x80", "\xc0\xaf", strings.Repeat("9", 100_000)} {
		if err := t.noID(ctx, text); err != nil {
			return err
		}
		for field, q := range map[string]apikey.Query{
			"Search": {Search: text}, "Owner": {Owner: text}, "CreatedBy": {CreatedBy: text}, "Type": {Type: text},
		} {
			q.Limit = 10
			keys, _, err := t.keys(ctx, q)
			if err != nil {
				return fmt.Errorf("List with the %s %.20q: %w", field, text, err)
			}
			if len(keys) != 0 {
				return fmt.Errorf("List with the %s %.20q: %d keys, want none", field, text, len(keys))
			}
		}
	}
	return nil
}
