package main

import (
	"runtime"
	gauge "runtime/metrics"
	"testing"
)

// TestCollections covers that each collection decides about the next one, by what
// lives.
func TestCollections(t *testing.T) {
	percent := func() uint64 {
		gogc := []gauge.Sample{{Name: "/gc/gogc:percent"}}
		gauge.Read(gogc)
		return gogc[0].Value.Uint64()
	}
	until := func(what string, reached func(uint64) bool) {
		for range 10_000 {
			if runtime.GC(); reached(percent()) {
				return
			}
		}
		t.Errorf("%s: the heap may grow by %d %%", what, percent())
	}
	collectLate()
	if percent() != firstGCPercent {
		t.Errorf("before the first collection it may grow by %d %%", percent())
	}
	much := make([]byte, 4*leastGrowth)
	until("with much that lives", func(p uint64) bool { return p == gcPercent })
	runtime.KeepAlive(much)
	until("with little", func(p uint64) bool { return p > gcPercent })
}
