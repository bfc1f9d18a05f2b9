package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/latchwork/latchwork/apikey"
)

// progressEvery is after how many rows a line says how far it is.
const progressEvery = 1000

// An importer moves the keys of a panel into a store.
type importer struct {
	panel     panel
	keys      *apikey.Manager // on the store
	store     store
	converter converter
	out       io.Writer
}

// A store is what keys are imported into.
type store interface {
	apikey.Store
	apikey.Activity
}

// A tally counts what became of the rows.
type tally struct{ good, there, bad int }

// run looks at every row, and then imports those that are good if that is
// wanted. It is an error if one is bad.
func (im importer) run(ctx context.Context, apply bool) error {
	total, err := im.panel.count(ctx)
	if err != nil {
		return fmt.Errorf("-from: the panel has no table api_keys that can be read: %w", err)
	}
	checked, err := im.pass(ctx, "checked", total, im.check)
	if err != nil {
		return err
	}
	fmt.Fprintf(im.out, "%d of %d rows can be imported, %d are bad.\n", checked.good, total, checked.bad)
	if !apply {
		fmt.Fprintln(im.out, "Nothing was changed. With -apply, they are imported.")
		return checked.err()
	}
	imported, err := im.pass(ctx, "imported", total, im.take)
	if err != nil {
		return err
	}
	fmt.Fprintf(im.out, "%d keys were imported, %d were there already, %d rows are bad and were left out.\n",
		imported.good, imported.there, imported.bad)
	return imported.err()
}

func (t tally) err() error {
	if t.bad == 0 {
		return nil
	}
	return fmt.Errorf("%d rows are bad: mend them in the panel, or create these keys anew", t.bad)
}

// pass does something with every row and says what is wrong with which one.
func (im importer) pass(ctx context.Context, done string, total int, do func(context.Context, row) error) (t tally, err error) {
	seen := 0
	err = im.panel.each(ctx, func(r row) error {
		err := do(ctx, r)
		var faulty rowError
		switch {
		case err == nil:
			t.good++
		case errors.Is(err, apikey.ErrExists):
			t.there++
		case errors.As(err, &faulty):
			t.bad++
			fmt.Fprintf(im.out, "row %d (%q): %v\n", r.id, r.name, err)
		default:
			return fmt.Errorf("row %d: %w", r.id, err)
		}
		if seen++; seen%progressEvery == 0 || seen == total {
			fmt.Fprintf(im.out, "%s %d of %d\n", done, seen, total)
		}
		return nil
	})
	return t, err
}

// A rowError says what is wrong with a row itself.
type rowError struct{ error }

func (e rowError) Unwrap() error { return e.error }

// judge returns what to import, as far as that can be known before.
func (im importer) judge(r row) (candidate, error) {
	c, err := im.converter.convert(r)
	if err == nil {
		err = im.keys.Validate(c.spec, nil)
	}
	if err != nil {
		return candidate{}, rowError{err}
	}
	return c, nil
}

func (im importer) check(_ context.Context, r row) error {
	_, err := im.judge(r)
	return err
}

// take imports a row whole, or not at all. When it was last used is told
// afterwards, since that decides nothing, also of a key that is there already:
// whoever imported it may have come no further.
func (im importer) take(ctx context.Context, r row) error {
	c, err := im.judge(r)
	if err != nil {
		return err
	}
	k, err := im.keys.Import(ctx, c.spec, c.sum)
	var spec *apikey.SpecError
	switch {
	case errors.As(err, &spec):
		return rowError{err}
	case errors.Is(err, apikey.ErrExists):
		found, findErr := im.store.Find(ctx, []apikey.Hash{c.sum})
		if findErr != nil {
			return findErr
		}
		k = found.Key
	case err != nil:
		return err
	}
	return cmp.Or(im.used(ctx, k, c.lastUsed), err)
}

// used records when the panel saw a key last, which our own uses outdo.
func (im importer) used(ctx context.Context, k apikey.Key, last time.Time) error {
	if last.IsZero() {
		return nil
	}
	day := apikey.Day{Date: last.UTC().Truncate(24 * time.Hour)}
	return im.store.Record(ctx, []apikey.Use{{KeyID: k.ID, LastAt: last.UTC(), Day: day}})
}
