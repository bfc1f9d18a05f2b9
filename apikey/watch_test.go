package apikey_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
)

// watched gives a Manager the feed of the store that the test made it with.
func watched(c *apikey.Config) { c.Feed = c.Activity.(*apikey.MemoryStore) }

// A tap is a Feed that does what a test wants.
type tap struct {
	mu     sync.Mutex
	calls  int
	answer func(ctx context.Context, after apikey.Cursor) ([]apikey.Change, apikey.Cursor, error)
}

func (f *tap) Changes(ctx context.Context, after apikey.Cursor) ([]apikey.Change, apikey.Cursor, error) {
	f.mu.Lock()
	f.calls++
	answer := f.answer
	f.mu.Unlock()
	return answer(ctx, after)
}

// turn changes what the feed does, and returns how often it was asked so far.
func (f *tap) turn(answer func(ctx context.Context, after apikey.Cursor) ([]apikey.Change, apikey.Cursor, error)) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
	return f.calls
}

func tapped(f *tap) func(*apikey.Config) { return func(c *apikey.Config) { c.Feed = f } }

// With a feed, what is changed elsewhere is in effect after about a second: a
// revocation, and a permission that is taken.
func TestFeedShortensTheDelay(t *testing.T) {
	in(t, func(t *testing.T) {
		here, there := pair(t, watched)
		require.NoError(t, there.Watch(t.Context()))
		synctest.Wait()
		revoked, cut, other := here.issue(t), here.issue(t), here.issue(t)
		for _, k := range []apikey.Issued{revoked, cut, other} {
			there.opens(t, k.Secret, k.Key.ID)
		}
		time.Sleep(100 * time.Millisecond)
		reads := there.spy.Calls("Find")
		require.NoError(t, here.Revoke(t.Context(), revoked.Key.ID, apikey.RevokeOptions{}))
		_, err := here.Update(t.Context(), cut.Key.ID, 0, func(s *apikey.Spec) { s.Permissions = set() })
		require.NoError(t, err)
		time.Sleep(900 * time.Millisecond)
		synctest.Wait()
		there.denies(t, revoked.Secret, apikey.ErrRevoked)
		require.True(t, there.opens(t, cut.Secret, cut.Key.ID).Key().Permissions.IsEmpty())
		there.opens(t, other.Secret, other.Key.ID)
		require.Equal(t, reads+2, there.spy.Calls("Find"), "what did not change stays cached")
		require.NoError(t, there.Close(t.Context()))
	})
}

// What a Manager changes itself is not read again because the feed tells of it.
func TestOwnChangesAreKnown(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHouse(t, watched)
		require.NoError(t, h.Watch(t.Context()))
		synctest.Wait()
		issued := h.issue(t)
		_, err := h.Update(t.Context(), issued.Key.ID, 0, func(s *apikey.Spec) { s.Name = "another" })
		require.NoError(t, err)
		h.opens(t, issued.Secret, issued.Key.ID)
		time.Sleep(2 * time.Second)
		h.opens(t, issued.Secret, issued.Key.ID)
		require.Equal(t, 1, h.spy.Calls("Find"))
		require.NoError(t, h.Close(t.Context()))
	})
}

// A feed that fails, hangs, lies, repeats itself or forgets costs reads and time,
// and nothing else.
func TestBadFeeds(t *testing.T) {
	for name, answer := range map[string]func(ctx context.Context, after apikey.Cursor) ([]apikey.Change, apikey.Cursor, error){
		"fails": func(context.Context, apikey.Cursor) ([]apikey.Change, apikey.Cursor, error) {
			return nil, "", errors.New("boom")
		},
		"panics": func(context.Context, apikey.Cursor) ([]apikey.Change, apikey.Cursor, error) { panic("boom") },
		"hangs": func(ctx context.Context, _ apikey.Cursor) ([]apikey.Change, apikey.Cursor, error) {
			<-ctx.Done()
			return nil, "", ctx.Err()
		},
		"forgets": func(_ context.Context, after apikey.Cursor) ([]apikey.Change, apikey.Cursor, error) {
			if after == "" {
				return nil, "1", nil
			}
			return nil, "", apikey.ErrCursor
		},
		"says nothing":    func(context.Context, apikey.Cursor) ([]apikey.Change, apikey.Cursor, error) { return nil, "1", nil },
		"has no cursor":   func(context.Context, apikey.Cursor) ([]apikey.Change, apikey.Cursor, error) { return nil, "", nil },
		"repeats itself":  says(apikey.Change{KeyID: "somebody", Version: 7}),
		"lies":            says(apikey.Change{Version: 1 << 62}, apikey.Change{KeyID: "the key", Version: 1 << 62}),
		"says old things": says(apikey.Change{KeyID: "the key", Version: 1}, apikey.Change{KeyID: "the key", Version: -1}),
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				feed := &tap{}
				here, there := pair(t, tapped(feed))
				issued := here.issue(t)
				feed.answer = func(ctx context.Context, after apikey.Cursor) ([]apikey.Change, apikey.Cursor, error) {
					changes, next, err := answer(ctx, after)
					for i := range changes {
						if changes[i].KeyID == "the key" {
							changes[i].KeyID = issued.Key.ID
						}
					}
					return changes, next, err
				}
				require.NoError(t, there.Watch(t.Context()))
				for range 100 {
					there.opens(t, issued.Secret, issued.Key.ID)
					time.Sleep(100 * time.Millisecond)
				}
				require.NoError(t, here.Revoke(t.Context(), issued.Key.ID, apikey.RevokeOptions{}))
				time.Sleep(ttl)
				there.denies(t, issued.Secret, apikey.ErrRevoked)
				require.LessOrEqual(t, feed.turn(nil), 2*maxAsked, "it is not asked without end")
				require.NoError(t, there.Close(t.Context()))
			})
		})
	}
}

// maxAsked is how often a feed may be asked in 15 seconds: every second, and each
// time for up to a hundred pages.
const maxAsked = 16 * 100

// says answers with the same changes again and again, at another place each time.
func says(changes ...apikey.Change) func(context.Context, apikey.Cursor) ([]apikey.Change, apikey.Cursor, error) {
	return func(_ context.Context, after apikey.Cursor) ([]apikey.Change, apikey.Cursor, error) {
		at, _ := strconv.Atoi(string(after))
		return append([]apikey.Change(nil), changes...), apikey.Cursor(strconv.Itoa(at + 1)), nil
	}
}

// When the feed has lost the thread, everything is read again.
func TestLostCursor(t *testing.T) {
	in(t, func(t *testing.T) {
		feed := &tap{}
		h := newHouse(t, tapped(feed))
		var asked []apikey.Cursor
		feed.answer = func(_ context.Context, after apikey.Cursor) ([]apikey.Change, apikey.Cursor, error) {
			asked = append(asked, after)
			switch len(asked) {
			case 2:
				return nil, "", errors.New("boom")
			case 3:
				return nil, "", apikey.ErrCursor
			default:
				return nil, apikey.Cursor(strconv.Itoa(len(asked))), nil
			}
		}
		require.NoError(t, h.Watch(t.Context()))
		synctest.Wait()
		issued := h.issue(t)
		h.opens(t, issued.Secret, issued.Key.ID)
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, time.Second, h.Stats().FeedAge, "it failed")
		require.Equal(t, 1, h.Stats().Cached)
		time.Sleep(time.Second)
		synctest.Wait()
		require.Zero(t, h.Stats().Cached)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		require.Equal(t, []apikey.Cursor{"", "1", "1", "", "4"}, asked)
		require.Zero(t, h.Stats().FeedAge)
		time.Sleep(300 * time.Millisecond)
		require.Equal(t, 300*time.Millisecond, h.Stats().FeedAge)
		require.NoError(t, h.Close(t.Context()))
		require.Zero(t, h.Stats().FeedAge, "nobody watches")
	})
}

// Pages are asked for one after the other, without a pause.
func TestFeedHasPages(t *testing.T) {
	in(t, func(t *testing.T) {
		feed := &tap{}
		h := newHouse(t, tapped(feed), func(c *apikey.Config) { c.CacheTTL = time.Hour })
		keys := make([]apikey.Issued, 5)
		for i := range keys {
			keys[i] = h.issue(t)
		}
		feed.answer = func(_ context.Context, after apikey.Cursor) ([]apikey.Change, apikey.Cursor, error) {
			at, _ := strconv.Atoi(string(after))
			if at == 0 || at > len(keys) {
				return nil, apikey.Cursor(strconv.Itoa(max(1, at))), nil
			}
			return []apikey.Change{{KeyID: keys[at-1].Key.ID, Version: 2}}, apikey.Cursor(strconv.Itoa(at + 1)), nil
		}
		require.NoError(t, h.Watch(t.Context()))
		synctest.Wait()
		for _, k := range keys {
			h.opens(t, k.Secret, k.Key.ID)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		for _, k := range keys {
			h.opens(t, k.Secret, k.Key.ID)
		}
		require.Equal(t, 2*len(keys), h.spy.Calls("Find"))
		require.NoError(t, h.Close(t.Context()))
	})
}

func TestWatch(t *testing.T) {
	in(t, func(t *testing.T) {
		require.ErrorContains(t, newHouse(t).Watch(t.Context()), "no Config.Feed")
		require.ErrorContains(t, new(apikey.Manager).Watch(t.Context()), "no Config.Feed")

		h := newHouse(t, watched)
		require.Zero(t, h.Stats().FeedAge)
		ctx, cancel := context.WithCancel(t.Context())
		require.NoError(t, h.Watch(ctx))
		require.ErrorContains(t, h.Watch(t.Context()), "already")
		time.Sleep(1500 * time.Millisecond)
		require.Equal(t, 500*time.Millisecond, h.Stats().FeedAge)
		cancel()
		synctest.Wait()
		require.Zero(t, h.Stats().FeedAge)
		require.NoError(t, h.Watch(t.Context()), "again")
		require.NoError(t, h.Close(t.Context()))
		require.ErrorContains(t, h.Watch(t.Context()), "closed")
		require.Zero(t, h.Stats().FeedAge)
	})
}
