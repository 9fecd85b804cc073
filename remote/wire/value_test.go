package wire

import (
	"runtime"
	"strings"
	"testing"
)

// TestCostOfALine: what looks like the beginning of many literals costs no more
// than its own length, not its square.
func TestCostOfALine(t *testing.T) {
	line := []byte(strings.Repeat("{1 ", 2000) + strings.Repeat("x", 100_000) + "}\r\n")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	p := &parser{b: line}
	p.values()
	runtime.ReadMemStats(&after)
	if p.count < 2000 {
		t.Errorf("no more than %d values were read", p.count)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 8<<20 {
		t.Errorf("%d bytes for a line of %d", used, len(line))
	}
}
