package apikeytest

import (
	"context"
	"errors"
	"fmt"

	"github.com/latchwork/latchwork/apikey"
)

// checkFeedRace has readers follow the feed while changes are stored at the
// same time: a cursor must not step over one that becomes visible late.
func checkFeedRace(ctx context.Context, t *trial) error {
	const writers, readers, keys, versions = 8, 3, 4, 4
	final := make([]apikey.Record, writers*keys)
	tails := make([]*tail, readers)
	for i := range tails {
		var err error
		if tails[i], err = t.tail(ctx); err != nil {
			return err
		}
	}
	seen := make([][]apikey.Change, readers)
	over := make(chan struct{})
	written := make(chan struct{}, writers)
	errs := race(writers+readers+1, func(i int) error {
		switch {
		case i < writers:
			defer func() { written <- struct{}{} }()
			for k := range keys {
				r := t.record()
				if err := t.handle(i).Create(ctx, r, t.event(r, apikey.Created)); err != nil {
					return fmt.Errorf("Create: %w", err)
				}
				for range versions - 1 {
					r = next(r)
					if err := t.handle(i).Update(ctx, r, t.event(r, apikey.Updated)); err != nil {
						return fmt.Errorf("Update: %w", err)
					}
				}
				final[i*keys+k] = r
			}
			return nil
		case i == writers:
			for range writers {
				<-written
			}
			close(over)
			return nil
		}
		reader := i - writers - 1
		for last := false; ; {
			changes, err := tails[reader].read(ctx)
			if err != nil {
				return err
			}
			seen[reader] = append(seen[reader], changes...)
			if last {
				return nil
			}
			select {
			case <-over:
				last = true
			default:
			}
		}
	})
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for i := range readers {
		if err := told(seen[i], final...); err != nil {
			return fmt.Errorf("reader %d: %w", i+1, err)
		}
	}
	return nil
}
