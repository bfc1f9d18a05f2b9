module github.com/latchwork/latchwork

go 1.25.0

require github.com/google/uuid v1.6.0

require (
	golang.org/x/crypto v0.55.0
	golang.org/x/sys v0.47.0 // indirect
)

// Tests only.
require (
	github.com/davecgh/go-spew v1.1.1 // indirect
	github.com/pmezard/go-difflib v1.0.0 // indirect
	github.com/stretchr/testify v1.11.1
	gopkg.in/yaml.v3 v3.0.1 // indirect
)
