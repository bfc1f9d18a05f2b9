package apikey

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// maxBatch is how many uses one call of Activity.Record has.
const maxBatch = 1000

// flush records what was counted so far. What the Activity refuses waits for
// another flush, as far as there is room.
func (u *uses) flush(ctx context.Context) error {
	u.flushing <- struct{}{}
	defer func() { <-u.flushing }()
	batch := u.take()
	for len(batch) > 0 {
		part := batch[:min(maxBatch, len(batch))]
		if err := u.send(ctx, part); err != nil {
			u.postpone(batch, part, err)
			return err
		}
		u.done(part)
		batch = batch[len(part):]
	}
	return nil
}

// take closes all tallies and returns everything that is to be recorded, in an
// order that is the same on every node. It stays in u.failed until it is done.
func (u *uses) take() []Use {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.timer != nil {
		u.timer.Stop()
		u.timer = nil
	}
	for at, t := range u.open {
		t.holder.tally.CompareAndSwap(t, nil) // a key that is cached, and not used any more, is not to hold on to it
		use := t.close(u.shut)
		if old, waits := u.failed[at]; waits {
			use = merge(old, use)
		} else if len(u.failed) >= u.room {
			u.drop(use)
			continue
		}
		u.failed[at] = use
	}
	clear(u.open)
	u.wide.Store(0)
	u.full.Store(false)
	return slices.SortedFunc(maps.Values(u.failed), func(a, b Use) int {
		return cmp.Or(strings.Compare(a.KeyID, b.KeyID), a.Day.Date.Compare(b.Day.Date))
	})
}

func merge(a, b Use) Use {
	a.Day.Counts = a.Day.Add(b.Day.Counts)
	if b.LastAt.After(a.LastAt) {
		a.LastAt, a.LastAddr = b.LastAt, b.LastAddr
	}
	return a
}

// drop gives up what was counted. It wants the lock.
func (u *uses) drop(use Use) {
	u.dropped.Add(uint64(use.Day.Allowed + use.Day.Denied()))
}

// send is one call of Activity.Record.
func (u *uses) send(ctx context.Context, part []Use) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("apikey: record uses: %w: panic: %v", ErrUncertain, p)
		}
	}()
	if err := u.activity.Record(ctx, part); err != nil {
		return fmt.Errorf("apikey: record uses: %w", err)
	}
	return nil
}

// done forgets what was recorded.
func (u *uses) done(part []Use) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, use := range part {
		delete(u.failed, use.at())
	}
}

// postpone keeps what could not be recorded for the next flush, unless there is
// none. What part had counted is given up if it may have been recorded all the
// same: better to miss it than to count it twice. Last uses cannot come twice.
func (u *uses) postpone(batch, part []Use, err error) {
	u.log.Warn("apikey: uses are not recorded", "keys", len(batch), "error", err)
	perhaps := errors.Is(err, ErrUncertain)
	u.mu.Lock()
	defer u.mu.Unlock()
	for i, use := range batch {
		switch {
		case u.ended.Load():
			u.drop(use)
			delete(u.failed, use.at())
		case perhaps && i < len(part):
			u.drop(use)
			use.Day.Counts = Counts{}
			u.failed[use.at()] = use
		}
	}
	if len(u.failed) > 0 {
		u.flushSoon(flushInterval)
	}
}

func (u Use) at() keyDay { return keyDay{u.KeyID, u.Day.Date.Unix()} }

// end records what was counted for the last time: from now on nothing is
// collected.
func (u *uses) end(ctx context.Context) error {
	if u == nil || u.activity == nil || u.ended.Swap(true) {
		return nil
	}
	return u.flush(ctx)
}
