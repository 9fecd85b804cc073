//go:build race

package syncer_test

// With the race detector on, histories take ten times as long: some will do, for
// make test plays the others without it.
const (
	histories = 300
	faults    = 2
	killed    = 8
)
