//go:build race

package syncer_test

// histories is small with the race detector on, which makes them ten times as
// slow; make test plays the others without it.
const histories = 500
