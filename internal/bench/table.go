package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// result is one comparison.
type result struct {
	what             string
	roundTrip        time.Duration
	imapsync, mbsync []times
}

func (r *result) add(tool string, took times) {
	if tool == "imapsync" {
		r.imapsync = append(r.imapsync, took)
	} else {
		r.mbsync = append(r.mbsync, took)
	}
}

// median takes wall and CPU time each by itself.
func median(all []times) times {
	middle := func(of func(times) time.Duration) time.Duration {
		var list []time.Duration
		for _, t := range all {
			list = append(list, of(t))
		}
		slices.Sort(list)
		return list[len(list)/2]
	}
	return times{middle(func(t times) time.Duration { return t.wall }), middle(func(t times) time.Duration { return t.cpu })}
}

// table is the results in Markdown.
func table(results []result) string {
	var b strings.Builder
	b.WriteString("| | round trip | imapsync s | mbsync s | mbsync / imapsync | CPU s, imapsync | CPU s, mbsync |\n")
	b.WriteString("|---|---|---|---|---|---|---|\n")
	for _, r := range results {
		ours, theirs := median(r.imapsync), median(r.mbsync)
		fmt.Fprintf(&b, "| %s | %v | %.3f | %.3f | **%.1f** | %.3f | %.3f |\n", r.what, r.roundTrip,
			ours.wall.Seconds(), theirs.wall.Seconds(), theirs.wall.Seconds()/ours.wall.Seconds(), ours.cpu.Seconds(), theirs.cpu.Seconds())
	}
	return b.String()
}
