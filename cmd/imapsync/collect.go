package main

import (
	"runtime"
	"runtime/debug"
	gauge "runtime/metrics"
)

// The heap may grow by half of what lives in it before garbage is collected: of a
// first sync that is a sixth of its memory. It may always grow by 16 MiB, which is
// more where little lives: a run that finds nothing ends before the first
// collection, and others are spared most of theirs, each some milliseconds.
const (
	gcPercent      = 50
	firstGCPercent = 400 // of the 4 MiB that Go begins with
	leastGrowth    = 16 << 20
)

// collectLate sets the garbage collector up.
func collectLate() {
	debug.SetGCPercent(firstGCPercent)
	afterCollection()
}

// afterCollection has the end of each collection decide when the next one begins.
func afterCollection() {
	runtime.AddCleanup(new([16]byte), func(struct{}) {
		live := []gauge.Sample{{Name: "/gc/heap/live:bytes"}}
		gauge.Read(live)
		debug.SetGCPercent(max(gcPercent, int(leastGrowth*100/max(live[0].Value.Uint64(), 1))))
		afterCollection()
	}, struct{}{})
}
