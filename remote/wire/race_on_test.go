//go:build race

package wire_test

// The race detector makes all ten times slower; it looks for other faults than
// those that need much data.
const (
	endlessText = 2 << 20
	million     = 100_000
)
