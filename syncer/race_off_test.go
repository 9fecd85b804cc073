//go:build !race

package syncer_test

// How many random histories a test plays, and how many broken engines they are
// to find; and of how many scenarios one is killed at every step.
const (
	histories = 20000
	faults    = 100
	killed    = 1
)
