//go:build !race

package wire_test

const (
	endlessText = 32 << 20 // after which an answer is given up
	million     = 1_000_000
)
