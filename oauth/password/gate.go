package password

import (
	"context"
	"time"
)

// A gate lets a few through at once. Others wait for their turn, first come,
// first served, but only so many, and only so long.
type gate struct {
	inside  chan struct{}
	waiting chan struct{}
	wait    time.Duration
}

func newGate(concurrent, queue int, wait time.Duration) gate {
	return gate{make(chan struct{}, concurrent), make(chan struct{}, queue), wait}
}

// through runs work when its turn comes. ErrBusy: at once if too many wait
// already, and otherwise when it has waited long enough.
func (g gate) through(ctx context.Context, work func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case g.inside <- struct{}{}:
	default:
		if err := g.queue(ctx); err != nil {
			return err
		}
	}
	defer func() { <-g.inside }()
	work()
	return nil
}

// queue returns nil when its caller is inside.
func (g gate) queue(ctx context.Context) error {
	select {
	case g.waiting <- struct{}{}:
	default:
		return ErrBusy
	}
	defer func() { <-g.waiting }()
	timer := time.NewTimer(g.wait)
	defer timer.Stop()
	select {
	case g.inside <- struct{}{}:
		return nil
	case <-timer.C:
		return ErrBusy
	case <-ctx.Done():
		return ctx.Err()
	}
}
