//go:build !race

package wire_test

const (
	endlessText = 16 << 20 // after which an answer is given up
	million     = 1_000_000
)
