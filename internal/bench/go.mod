module github.com/latchwork/latchwork/internal/bench

go 1.25.0

require (
	github.com/gaissmai/bart v0.30.0
	github.com/latchwork/latchwork v0.0.0
)

require github.com/google/uuid v1.6.0 // indirect

replace github.com/latchwork/latchwork => ../..
