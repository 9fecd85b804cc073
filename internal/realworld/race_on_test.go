//go:build race

package realworld

// raceDetector makes SQLite, which is Go here, several times slower: under it
// fewer variants and histories are played, for its reports need no more.
const raceDetector = true
