package scope

// A Permission is an entry of a [Catalog].
type Permission struct {
	Name  string
	Group string
	Label string
}

// A Group is the permissions of a [Catalog] that share a group.
type Group struct {
	Name        string
	Permissions []Permission
}

// A Catalog knows the permissions of a service.
type Catalog struct{ entries []Permission }

// UnknownError names a grant that a [Catalog] does not know.
type UnknownError struct{ Grant, Suggestion string }

func (e *UnknownError) Error() string { return "scope: unknown permission " + quote(e.Grant) }

// NewCatalog makes a Catalog.
func NewCatalog(entries ...Permission) (*Catalog, error) { return &Catalog{entries}, nil }

// Has reports whether name is known.
func (c *Catalog) Has(name string) bool {
	if c == nil {
		return false
	}
	for _, e := range c.entries {
		if e.Name == name {
			return true
		}
	}
	return false
}

// Validate refuses grants over nothing known.
func (c *Catalog) Validate(s Set) error { return nil }

// Suggest returns the nearest known name.
func (c *Catalog) Suggest(name string) (string, bool) { return "", false }

// Groups returns the permissions by group.
func (c *Catalog) Groups() []Group { return nil }
