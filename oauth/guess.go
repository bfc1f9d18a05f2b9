package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/latchwork/latchwork/internal/throttle"
)

const (
	// spare is how long an address is spared what others do to an account
	// after somebody signed in from there.
	spare = 30 * 24 * time.Hour

	// patience is how long a guess waits for those that are under way, and
	// crowd how many may wait at once, for whatever.
	patience = 5 * time.Second
	crowd    = 1024

	// twinWindow is how long a client may take to send a guess a second time,
	// with its secret in the body.
	twinWindow = 10 * time.Second
)

var errGuesses = errors.New("oauth: too many guesses at one password at once")

// Guesses limit wrong passwords. What a guess would cost is taken before
// anything is looked at, so that many at once get no further than one after the
// other, and given back if it was right. Nil guesses limit nothing.
type guesses struct {
	hash      throttle.Hasher
	fold      func(name string) string
	account   *throttle.Limiter
	pair      *throttle.Limiter // of account and address, like everything below it
	address   *throttle.Limiter
	backend   *throttle.Limiter
	sustained struct{ account, pair *throttle.Limiter }
	known     *throttle.Recent // from where somebody signed in
	twins     *throttle.Recent // wrong guesses that may come a second time
	shared    *shared

	waiting chan struct{} // one for each that waits

	mu       sync.Mutex
	underway map[budget]*queue
}

// A budget is what a failure counts against.
type budget struct {
	limiter *throttle.Limiter
	key     throttle.Key
}

// A queue is of those who wait for a guess to be decided that has taken from
// the same budget.
type queue struct {
	guesses int
	decided chan struct{} // closed when one of them is
}

// newGuesses expects limits that are valid.
func newGuesses(l Limits, entries int, fold func(string) string, with *shared) *guesses {
	limiter := func(r Rate) *throttle.Limiter { return throttle.NewLimiter(throttle.Limit(r), entries) }
	g := &guesses{
		hash: throttle.NewHasher(), fold: fold, shared: with, waiting: make(chan struct{}, crowd), underway: map[budget]*queue{},
		account: limiter(l.Account), pair: limiter(l.Account), address: limiter(l.Address), backend: limiter(l.Backend),
		known: throttle.NewRecent(spare, entries), twins: throttle.NewRecent(twinWindow, entries/8),
	}
	g.sustained.account, g.sustained.pair = limiter(l.Sustained), limiter(l.Sustained)
	if fold == nil {
		g.fold = foldName
	}
	return g
}

// An attempt is somebody who says they are a user.
type attempt struct {
	name, password string
	client         Client     // the zero one: a page of the host's
	method         AuthMethod // of the client
	source         netip.Addr
}

// A guess is what an attempt takes: from the first of all its budgets.
type guess struct {
	all    [5]budget // those of the address, the pair twice, the account twice
	count  int
	member throttle.Key // of the account: the pair
	twin   throttle.Key // zero: it cannot have one
	shared *reservation
}

// How many of its budgets a guess takes from.
const (
	countTwin   = 1 // it was counted when it came first
	countSpared = 3 // somebody signed in to the account from there
	countAll    = 5
)

func (g *guesses) guess(a attempt) *guess {
	name := g.fold(a.name)
	account, source := g.hash.Text(name), g.hash.Addr(a.source)
	pair := g.hash.Pair(account, source)
	it := &guess{count: countAll, member: g.hash.Within(account, pair)}
	it.all = [...]budget{{g.address, source}, {g.pair, pair}, {g.sustained.pair, pair}, {g.account, account}, {g.sustained.account, account}}
	if g.known.Has(it.member) {
		it.count = countSpared
	}
	if a.method != "" {
		client := g.hash.Text(a.client.ID)
		it.all[0] = budget{g.backend, g.hash.Pair(client, source)}
		// Of the password, 16 bits are enough to tell one guess from the
		// next, and too few for whoever finds them to learn what was typed.
		twin := g.hash.Pair(g.hash.Pair(pair, client), g.hash.Text(a.password)&(1<<16-1))
		switch {
		case a.method == AuthBasic:
			it.twin = twin
		case g.twins.Remove(twin):
			it.count = countTwin
		}
	}
	it.shared = g.shared.reservation(a, name, it.count)
	return it
}

// begin takes what a guess costs, or refuses it: with 429, or with 503 when
// nothing is known about it.
func (g *guesses) begin(ctx context.Context, a attempt) (*guess, *Error) {
	if g == nil {
		return nil, nil
	}
	it := g.guess(a)
	wait, decided := g.take(it)
	if decided != nil {
		var rejected *Error
		if wait, rejected = g.await(ctx, it, decided); rejected != nil {
			return nil, rejected
		}
	}
	if wait > 0 {
		return nil, tooManyRequests(wait)
	}
	if wait, err := it.shared.reserve(ctx); err != nil || wait > 0 {
		g.giveBack(it)
		if err != nil {
			return nil, unavailable(err)
		}
		return nil, tooManyRequests(wait)
	}
	return it, nil
}

// await takes what a guess costs, once those under way are decided that could
// let it go on by being right: they may be many users behind one address, or one
// with many devices. Like take it returns how long to wait otherwise. 503: too
// many wait already, or this one has waited long enough.
func (g *guesses) await(ctx context.Context, it *guess, decided <-chan struct{}) (wait time.Duration, rejected *Error) {
	select {
	case g.waiting <- struct{}{}:
	default:
		return 0, unavailable(errGuesses)
	}
	defer func() { <-g.waiting }()
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errGuesses)
	defer cancel()
	for decided != nil {
		select {
		case <-decided:
			wait, decided = g.take(it)
		case <-ctx.Done():
			return 0, unavailable(context.Cause(ctx))
		}
	}
	return wait, nil
}

// take takes from all budgets of a guess, or from none: it returns how long to
// wait then, and what to wait for instead if that depends on guesses that are
// not decided.
func (g *guesses) take(it *guess) (wait time.Duration, decided <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	hopeless := false
	for _, b := range it.all[:it.count] {
		w := b.limiter.Wait(b.key)
		if w == 0 {
			continue
		}
		wait = max(wait, w)
		if q := g.underway[b]; q != nil {
			decided = q.decided
		} else {
			hopeless = true
		}
	}
	if hopeless {
		return wait, nil
	}
	if wait > 0 {
		return wait, decided
	}
	for _, b := range it.all[:it.count] {
		b.limiter.Take(b.key)
		q := g.underway[b]
		if q == nil {
			q = &queue{decided: make(chan struct{})}
			g.underway[b] = q
		}
		q.guesses++
	}
	return 0, nil
}

// settle lets those go on who wait for this guess.
func (g *guesses) settle(it *guess) {
	for _, b := range it.all[:it.count] {
		q := g.underway[b]
		close(q.decided)
		if q.guesses--; q.guesses == 0 {
			delete(g.underway, b)
		} else {
			q.decided = make(chan struct{})
		}
	}
}

// wrong leaves a guess counted.
func (g *guesses) wrong(it *guess) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if it.twin != 0 {
		g.twins.Add(it.twin)
	}
	g.settle(it)
}

// undecided gives back what a guess has taken about which nothing was said.
func (g *guesses) undecided(ctx context.Context, it *guess) {
	if g == nil {
		return
	}
	it.shared.release(ctx, false)
	g.giveBack(it)
}

func (g *guesses) giveBack(it *guess) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, b := range it.all[:it.count] {
		b.limiter.Return(b.key)
	}
	g.settle(it)
}

// right gives back what a guess has taken, and forgets all others of this user
// from this address but those that are under way.
func (g *guesses) right(ctx context.Context, it *guess) {
	if g == nil {
		return
	}
	it.shared.release(ctx, true)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.settle(it)
	for i, b := range it.all {
		if b.limiter != g.pair && b.limiter != g.sustained.pair {
			if i < it.count {
				b.limiter.Return(b.key)
			}
			continue
		}
		b.limiter.Clear(b.key)
		if q := g.underway[b]; q != nil {
			for range q.guesses {
				b.limiter.Take(b.key)
			}
		}
	}
	g.known.Add(it.member)
}

// guessing lets look decide about an attempt, within the limits.
func (s *Server) guessing(ctx context.Context, a attempt, look func() *Error) *Error {
	it, rejected := s.guesses.begin(ctx, a)
	if rejected != nil {
		if rejected.Status == http.StatusTooManyRequests {
			s.announce(Event{Kind: EventLoginThrottled, ClientID: a.client.ID, ClientAddr: a.source})
		}
		return rejected
	}
	decide := s.guesses.wrong // of a panic, too
	defer func() { decide(it) }()
	rejected = look()
	switch {
	case rejected == nil:
		decide = func(it *guess) { s.guesses.right(ctx, it) }
	case rejected.Status == http.StatusServiceUnavailable:
		decide = func(it *guess) { s.guesses.undecided(ctx, it) }
	}
	return rejected
}
