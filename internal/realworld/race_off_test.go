//go:build !race

package realworld

const raceDetector = false
