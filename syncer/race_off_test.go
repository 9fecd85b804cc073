//go:build !race

package syncer_test

// histories is how many random histories a test plays.
const histories = 2000
