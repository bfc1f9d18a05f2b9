module github.com/latchwork/latchwork/internal/bench

go 1.25.0

require (
	github.com/gaissmai/bart v0.30.0
	github.com/latchwork/latchwork v0.0.0
	github.com/stretchr/testify v1.11.1
)

require (
	github.com/davecgh/go-spew v1.1.1 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/pmezard/go-difflib v1.0.0 // indirect
	gopkg.in/yaml.v3 v3.0.1 // indirect
)

replace github.com/latchwork/latchwork => ../..
