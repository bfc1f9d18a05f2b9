package apikeytest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/ipfilter"
	"github.com/latchwork/latchwork/scope"
)

func readMutants() []mutant {
	return []mutant{
		{"get returns nothing at all on a miss", "miss", func(o *overlay) {
			o.get = func(ctx context.Context, id string) (apikey.Record, error) {
				return forgiving(o.MemoryStore.Get(ctx, id))
			}
		}},
		{"find returns nothing at all on a miss", "miss", func(o *overlay) {
			o.find = func(ctx context.Context, hashes []apikey.Hash) (apikey.Record, error) {
				return forgiving(o.MemoryStore.Find(ctx, hashes))
			}
		}},
		{"a miss is the error of the database", "miss", func(o *overlay) {
			o.get = func(ctx context.Context, id string) (apikey.Record, error) {
				r, err := o.MemoryStore.Get(ctx, id)
				if errors.Is(err, apikey.ErrNotFound) {
					err = errors.New("sql: no rows in result set")
				}
				return r, err
			}
		}},
		{"an empty list is a miss", "miss", func(o *overlay) {
			o.list = func(ctx context.Context, q apikey.Query) ([]apikey.Key, error) {
				keys, err := o.keys(ctx, q)
				if len(keys) == 0 && err == nil {
					err = apikey.ErrNotFound
				}
				return keys, err
			}
		}},
		{"find looks for the first hash", "find any", func(o *overlay) {
			o.find = func(ctx context.Context, hashes []apikey.Hash) (apikey.Record, error) {
				return o.MemoryStore.Find(ctx, hashes[:min(1, len(hashes))])
			}
		}},
		{"find looks at the first secret", "find any", func(o *overlay) {
			o.find = func(ctx context.Context, hashes []apikey.Hash) (apikey.Record, error) {
				r, err := o.MemoryStore.Find(ctx, hashes)
				if err == nil && !slices.Contains(hashes, r.Secrets[0].Hash) {
					return apikey.Record{}, apikey.ErrNotFound
				}
				return r, err
			}
		}},
		{"find judges deadlines", "find any", func(o *overlay) {
			o.find = func(ctx context.Context, hashes []apikey.Hash) (apikey.Record, error) {
				r, err := o.MemoryStore.Find(ctx, hashes)
				for _, secret := range r.Secrets {
					if slices.Contains(hashes, secret.Hash) && !secret.Deadline.IsZero() && secret.Deadline.Before(time.Now()) {
						return apikey.Record{}, apikey.ErrNotFound
					}
				}
				return r, err
			}
		}},
		{"pepper ids are lost", "find any", func(o *overlay) {
			o.read(func(r *apikey.Record) {
				for i := range r.Secrets {
					r.Secrets[i].PepperID = ""
				}
			})
		}},
		{"find judges", "find judges nothing", func(o *overlay) {
			o.find = func(ctx context.Context, hashes []apikey.Hash) (apikey.Record, error) {
				r, err := o.MemoryStore.Find(ctx, hashes)
				if err == nil && !r.Key.RevokedAt.IsZero() {
					return apikey.Record{}, apikey.ErrRevoked
				}
				return r, err
			}
		}},
		{"get does not return expired keys", "find judges nothing", func(o *overlay) {
			o.get = func(ctx context.Context, id string) (apikey.Record, error) {
				r, err := o.MemoryStore.Get(ctx, id)
				if err == nil && r.Key.State(time.Now()) == apikey.StateExpired {
					return apikey.Record{}, apikey.ErrNotFound
				}
				return r, err
			}
		}},
		{"ids are folded", "ids byte for byte", func(o *overlay) {
			o.get = func(ctx context.Context, id string) (apikey.Record, error) {
				return o.MemoryStore.Get(ctx, strings.ToLower(id))
			}
		}},
		{"ids are trimmed", "ids byte for byte", func(o *overlay) {
			o.update = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
				r.Key.ID = strings.TrimRight(r.Key.ID, " ")
				return o.MemoryStore.Update(ctx, r, e)
			}
		}},
		{"unreadable text is an error", "hostile text", func(o *overlay) {
			o.list = func(ctx context.Context, q apikey.Query) ([]apikey.Key, error) {
				if !utf8.ValidString(q.Search) || strings.Contains(q.Search, "\x00") {
					return nil, errors.New("invalid byte sequence for encoding UTF8")
				}
				return o.keys(ctx, q)
			}
		}},
		{"names are trimmed", "text", func(o *overlay) {
			o.write(func(r *apikey.Record) { r.Key.Name = strings.TrimSpace(r.Key.Name) })
		}},
		{"names are cut to 255 bytes", "text", func(o *overlay) {
			o.write(func(r *apikey.Record) { r.Key.Name = r.Key.Name[:min(255, len(r.Key.Name))] })
		}},
		{"times are cut to seconds", "times", func(o *overlay) {
			o.times(func(at time.Time) time.Time { return at.Truncate(time.Second) })
		}},
		{"the epoch is no time", "times", func(o *overlay) {
			o.times(func(at time.Time) time.Time {
				if at.Unix() == 0 {
					return time.Time{}
				}
				return at
			})
		}},
		{"no time is the epoch", "create", func(o *overlay) {
			o.times(func(at time.Time) time.Time {
				if at.IsZero() {
					return time.Unix(0, 0)
				}
				return at
			})
		}},
		{"times end in 2038", "times", func(o *overlay) {
			o.times(func(at time.Time) time.Time { return time.Unix(int64(int32(at.Unix())), int64(at.Nanosecond())) })
		}},
		{"an empty list is none", "lists", func(o *overlay) {
			o.read(func(r *apikey.Record) {
				if r.Key.AllowedIPs != nil && r.Key.AllowedIPs.IsEmpty() {
					r.Key.AllowedIPs = nil
				}
			})
		}},
		{"a list that is too long is none", "lists", func(o *overlay) {
			o.write(func(r *apikey.Record) {
				if r.Key.AllowedIPs != nil && len(r.Key.AllowedIPs.String()) > 255 {
					r.Key.AllowedIPs = nil
				}
			})
		}},
		{"no list is an empty one", "lists", func(o *overlay) {
			o.read(func(r *apikey.Record) {
				if r.Key.AllowedIPs == nil {
					r.Key.AllowedIPs = new(ipfilter.List)
				}
			})
		}},
		{"a range is its first address", "lists", func(o *overlay) {
			o.read(func(r *apikey.Record) {
				if r.Key.AllowedIPs == nil || r.Key.AllowedIPs.IsEmpty() {
					return
				}
				entries := r.Key.AllowedIPs.Strings()
				for i := range entries {
					entries[i], _, _ = strings.Cut(entries[i], "-")
				}
				*r.Key.AllowedIPs, _ = ipfilter.ParseList(entries, 0)
			})
		}},
		{"permissions are cut", "permissions", func(o *overlay) {
			o.read(func(r *apikey.Record) {
				grants := r.Key.Permissions.Strings()
				r.Key.Permissions = scope.MustParseSet(grants[:min(100, len(grants))]...)
			})
		}},
		{"permissions that cannot be read are left out", "permissions", func(o *overlay) {
			o.read(func(r *apikey.Record) {
				grants := slices.DeleteFunc(r.Key.Permissions.Strings(), func(g string) bool { return strings.Contains(g, ".*.") })
				r.Key.Permissions = scope.MustParseSet(grants...)
			})
		}},
		{"text ends at 64 KiB", "largest", func(o *overlay) {
			o.read(func(r *apikey.Record) {
				grants := r.Key.Permissions.Strings()
				if size := len(`["`) + len(strings.Join(grants, `","`)) + len(`"]`); size > 1<<16-1 {
					r.Key.Permissions = scope.MustParseSet(grants[:len(grants)-1]...)
				}
			})
		}},
		{"metadata are left out", "metadata", func(o *overlay) {
			o.write(func(r *apikey.Record) { r.Key.Metadata = apikey.Metadata{} })
		}},
		{"names of metadata are folded", "metadata", func(o *overlay) {
			o.write(func(r *apikey.Record) {
				folded := map[string]string{}
				for name, value := range r.Key.Metadata.All() {
					folded[strings.ToLower(name)] = value
				}
				r.Key.Metadata, _ = apikey.NewMetadata(folded)
			})
		}},
		{"get returns the same value again", "copies what it gives", func(o *overlay) {
			var given shelf[string, apikey.Record]
			o.get = func(ctx context.Context, id string) (apikey.Record, error) {
				r, err := o.MemoryStore.Get(ctx, id)
				if same, ok := given.take(id); ok && same.Key.Version == r.Key.Version {
					return same, err
				}
				given.put(id, r)
				return r, err
			}
		}},
		{"find returns the same value again", "copies what it gives", func(o *overlay) {
			var given shelf[apikey.Hash, apikey.Record]
			o.find = func(ctx context.Context, hashes []apikey.Hash) (apikey.Record, error) {
				r, err := o.MemoryStore.Find(ctx, hashes)
				if err != nil {
					return r, err
				}
				if same, ok := given.take(r.Secrets[0].Hash); ok && same.Key.Version == r.Key.Version {
					return same, err
				}
				given.put(r.Secrets[0].Hash, r)
				return r, err
			}
		}},
		{"list returns the same lists again", "copies what it gives", func(o *overlay) {
			var given shelf[string, *ipfilter.List]
			o.list = func(ctx context.Context, q apikey.Query) ([]apikey.Key, error) {
				keys, err := o.keys(ctx, q)
				for i, k := range keys {
					if same, ok := given.take(k.ID); ok {
						keys[i].AllowedIPs = same
					} else {
						given.put(k.ID, k.AllowedIPs)
					}
				}
				return keys, err
			}
		}},
	}
}

// forgiving forgets that there is nothing.
func forgiving(r apikey.Record, err error) (apikey.Record, error) {
	if errors.Is(err, apikey.ErrNotFound) {
		err = nil
	}
	return r, err
}
