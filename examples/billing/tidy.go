package main

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

const (
	tidyFirst    = time.Second // after the start: a host may be restarted all the time
	tidyEvery    = 10 * time.Minute
	tidyBatch    = 1000
	keepActivity = 90 * 24 * time.Hour  // events and daily counts
	keepRevoked  = 365 * 24 * time.Hour // keys, so that somebody can still ask what became of one
)

// tidy deletes what is over, at once and then every few minutes, until the context is done and
// the channel that it returns is closed. Every host may do it.
func (db *database) tidy(ctx context.Context) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		timer := time.NewTimer(tidyFirst)
		defer timer.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-timer.C:
				timer.Reset(tidyEvery)
				if err := db.tidyOnce(ctx, now); err != nil && ctx.Err() == nil {
					slog.ErrorContext(ctx, "tidying up", "error", err)
				}
			}
		}
	}()
	return ended
}

func (db *database) tidyOnce(ctx context.Context, now time.Time) error {
	var faults []error
	for _, batch := range []func() (int, error){
		func() (int, error) { return db.oauth.DeleteExpired(ctx, now, tidyBatch) },
		func() (int, error) { return db.keys.Purge(ctx, now.Add(-keepActivity), tidyBatch) },
		func() (int, error) { return db.keys.PurgeRevoked(ctx, now.Add(-keepRevoked), tidyBatch) },
	} {
		for {
			n, err := batch()
			if n == 0 || err != nil {
				faults = append(faults, err)
				break
			}
		}
	}
	_, err := db.ExecContext(ctx, db.sql("DELETE FROM billing_sessions WHERE expires_at < ?"), now.UnixMicro())
	return errors.Join(append(faults, err)...)
}
