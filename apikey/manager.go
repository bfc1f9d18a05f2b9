package apikey

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"slices"
	"time"

	"github.com/latchwork/latchwork/internal/background"
	"github.com/latchwork/latchwork/internal/cache"
	"github.com/latchwork/latchwork/internal/clock"
	"github.com/latchwork/latchwork/internal/counter"
	"github.com/latchwork/latchwork/internal/credential"
	"github.com/latchwork/latchwork/ipfilter"
	"github.com/latchwork/latchwork/scope"
)

// Config is what a Manager may be told. New copies it.
type Config struct {
	// Prefix begins every key, followed by an underscore: 1 to 32 letters,
	// digits and underscores. It is required.
	Prefix string

	// Types are the types a key may have, each 1 to 32 of a-z, 0-9 and
	// underscore. Empty: only "admin".
	Types []string

	// Catalog knows the permissions there are; grants over nothing in it are
	// refused. Nil: every well-formed grant is accepted.
	Catalog *scope.Catalog

	// ForeignFormats are the formats of imported keys. They must not overlap
	// with each other or with the format under Prefix.
	ForeignFormats []ForeignFormat

	// Peppers are mixed into the stored hashes: the first into new ones, all
	// are looked up. Empty: plain SHA-256.
	Peppers []Pepper

	// InsecureUnpeppered accepts rows without a pepper although Peppers are
	// configured, until use has rehashed them. Meanwhile whoever can write to
	// the database can plant a key.
	InsecureUnpeppered bool

	// MaxLifetime is how far ahead the expiry of a key may lie at most when it
	// is set: Create, Import and Update refuse more, and a key that would never
	// expire. Rotate refuses to renew such a key. Those from before go on as
	// they are until then: they work, and can be changed in everything else.
	// Zero: any expiry, and none.
	MaxLifetime time.Duration

	// Effective ties a key to what its owner may do at present: what it
	// returns is intersected with the key's own permissions whenever a record
	// is loaded. An error refuses the request with 503. Nil: the key's
	// permissions are as stored.
	Effective func(ctx context.Context, k Key) (scope.Set, error)

	// OnEvent hears of every change after it was stored, in the goroutine
	// that made it. A panic in it is logged, and the change stands. Nil: nobody
	// is told.
	OnEvent func(Event)

	// Activity knows what happened to keys and how often they were used. Nil:
	// nothing is known, and no use is counted.
	Activity Activity

	// CacheTTL is how long a record may be used without asking the store, from
	// the start of the read that found it: a change made by another node is in
	// effect here no later than that. Zero: 5 seconds. Negative: no record is
	// kept, and every verification reads the store.
	CacheTTL time.Duration

	// CacheSize is how many records are kept at most, each in well under 1 KiB
	// and what its address list and its metadata take. Zero: 100,000.
	CacheSize int

	// MaxLoads is how many reads of the store verification may have under way;
	// an eighth of them is kept for records that are about to become too old.
	// Past that, Verify answers ErrBusy. Zero: 64.
	MaxLoads int

	// Feed tells Watch of changes that other nodes made. Nil: they are in
	// effect after CacheTTL.
	Feed Feed

	// Now judges expiry, and dates events and uses. Nil: time.Now; what is cached
	// is judged by the monotonic clock then, and by the wall clock within 10 ms
	// of its being set.
	Now func() time.Time

	// Logger hears what nobody else is told. Nil: silent.
	Logger *slog.Logger
}

// A Manager issues, verifies and manages the keys of one store. It is safe for
// concurrent use. As itself it is the operator, whom no ceiling bounds; what
// is done for somebody else goes through As.
//
// The zero Manager refuses everything.
type Manager struct {
	management

	store     Store
	activity  Activity
	format    credential.Format
	foreign   []ForeignFormat
	hasher    hasher
	types     []string
	catalog   *scope.Catalog
	lifetime  time.Duration // Config.MaxLifetime
	effective func(context.Context, Key) (scope.Set, error)
	onEvent   func(Event)
	clock     func() time.Time
	glance    *clock.Clock // the same, for requests
	log       *slog.Logger

	longest    int // what is longer cannot be a key
	cache      *cache.Cache[loaded]
	sets       pool[scope.Set]
	lists      pool[ipfilter.List]
	counters   counter.Set
	feed       Feed
	watch      watch
	uses       *uses
	background background.Group
}

// New returns a Manager, or everything that is wrong with the configuration.
func New(store Store, cfg Config) (*Manager, error) {
	var faults []error
	fault := func(found ...error) {
		for _, err := range found {
			if err != nil {
				faults = append(faults, fmt.Errorf("apikey: %w", err))
			}
		}
	}
	if isNil(store) {
		fault(errors.New("the store is nil"))
	}
	if cfg.Activity != nil && isNil(cfg.Activity) {
		fault(errors.New("Config.Activity is a nil pointer"))
	}
	if cfg.Feed != nil && isNil(cfg.Feed) {
		fault(errors.New("Config.Feed is a nil pointer"))
	}
	format, err := credential.New(cfg.Prefix)
	fault(err)
	m := &Manager{
		store: boundedStore{store}, activity: bounded(cfg.Activity), format: format,
		foreign: slices.Clone(cfg.ForeignFormats), types: slices.Clone(cfg.Types), catalog: cfg.Catalog, lifetime: cfg.MaxLifetime,
		effective: cfg.Effective, onEvent: cfg.OnEvent, clock: cfg.Now, log: cfg.Logger, feed: cfg.Feed,
		hasher: hasher{
			peppers:    slices.Clone(cfg.Peppers),
			unpeppered: len(cfg.Peppers) == 0 || cfg.InsecureUnpeppered,
		},
	}
	m.management = management{m: m, actor: Actor{ID: "operator"}, unbounded: true}
	if len(m.types) == 0 {
		m.types = []string{"admin"}
	}
	for _, t := range m.types {
		if !isIdentifier(t) {
			fault(fmt.Errorf("type %.40q: want 1 to %d of a-z, 0-9 and underscore", t, maxIdentifier))
		}
	}
	if cfg.MaxLifetime < 0 {
		fault(fmt.Errorf("Config.MaxLifetime is negative: %s", cfg.MaxLifetime))
	}
	shapes := []ForeignFormat{own(cfg.Prefix)}
	for _, f := range m.foreign {
		fault(f.validate())
		for _, other := range shapes {
			if f.overlaps(other) {
				fault(fmt.Errorf("foreign format %.40q matches keys of format %.40q, too", f.Prefix, other.Prefix))
			}
		}
		shapes = append(shapes, f)
	}
	ids := map[string]bool{}
	for _, p := range m.hasher.peppers {
		fault(p.validate())
		if ids[p.id] {
			fault(fmt.Errorf("pepper id %.40q stands twice", p.id))
		}
		ids[p.id] = true
	}
	if m.clock == nil {
		m.clock = time.Now
	}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	m.background.Log = m.log
	m.glance = clock.New(time.Now().Add(-time.Hour), cfg.Now) // the present is never 0
	m.uses = newUses(m.activity, m.glance, m.log, &m.background)
	for _, shape := range shapes {
		m.longest = max(m.longest, len(shape.Prefix)+shape.Length)
	}
	var odd []error
	m.cache, odd = newCache(cfg, m)
	fault(odd...)
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return m, nil
}

// Close records the uses that were counted last, ends what goes on in the
// background, and waits for that until the context is done, whose error it
// returns then. Another error is the Activity's: the last uses are not
// recorded. Verification and management still work afterwards; only nothing
// happens beside them any more, and no use is counted. Calling it again is fine.
func (m *Manager) Close(ctx context.Context) error {
	recorded := make(chan error, 1)
	m.background.Start(func() {
		defer close(recorded)
		recorded <- m.uses.end(ctx)
	})
	if err := m.background.Close(ctx); err != nil {
		return err
	}
	select {
	case err := <-recorded:
		return err
	default: // closed before
		return nil
	}
}

// isNil reports whether there is nothing in an interface, or a pointer to
// nothing, which the first request would find out.
func isNil(v any) bool {
	r := reflect.ValueOf(v)
	return !r.IsValid() || (r.Kind() == reflect.Pointer && r.IsNil())
}

// Format implements [fmt.Formatter] for every verb: what a Manager holds is
// much, changes all the time, and is nobody's business.
func (*Manager) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, "apikey.Manager") }

// now is the present as a store may see it.
func (m *Manager) now() time.Time { return m.clock().UTC().Truncate(time.Microsecond) }

// Recognize reports whether this looks like a key of this Manager, going by
// its shape: prefix and length, and the alphabet of foreign formats. It makes
// no I/O and does not mean that there is such a key.
func (m *Manager) Recognize(presented string) bool {
	return m.format.Recognize(presented) || m.recognizeForeign(presented)
}

func (m *Manager) recognizeForeign(presented string) bool {
	for _, f := range m.foreign {
		if f.recognize(presented) {
			return true
		}
	}
	return false
}

// Samples returns texts that Recognize accepts, none of them a key. If there is
// a text that two Managers recognize, one of them recognizes a sample of the
// other.
func (m *Manager) Samples() []string {
	samples := []string{m.format.Encode([32]byte{})}
	for _, f := range m.foreign {
		samples = append(samples, f.samples()...)
	}
	return samples
}

// ScannerExpression returns a regular expression in RE2 syntax that finds
// every key of this Manager in other text, for secret scanners. Foreign formats
// are not covered.
func (m *Manager) ScannerExpression() string { return m.format.Expression() }
