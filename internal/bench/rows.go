package main

import (
	"slices"
	"time"
)

// row is a kind of work that is measured.
type row struct {
	key, title string
	roundTrips []time.Duration
	targets    []target
}

// target is a limit to a ratio of medians, or to a median where it is against
// nothing.
type target struct {
	number    string // of numbers
	against   string // a tool
	limit     float64
	roundTrip time.Duration // anyTrip: whatever it is
}

const anyTrip = -1

const (
	ms              = time.Millisecond
	memoryUnchanged = "memory-unchanged"
	hugeServer      = "huge-server"
	hugeLocal       = "huge-local"
)

// numbers are what targets are about.
var numbers = map[string]func(measure) float64{
	"wall":     func(m measure) float64 { return m.Wall },
	"CPU":      func(m measure) float64 { return m.CPU },
	"bytes":    func(m measure) float64 { return float64(m.In + m.Out) },
	"resident": func(m measure) float64 { return m.Resident },
}

// allRows are those of the table of targets.
var allRows = []row{
	{"first", "first sync", []time.Duration{0, 40 * ms, 150 * ms}, []target{
		{"wall", "mbsync", 0.25, 0}, {"wall", "mbsync", 0.20, 40 * ms}, {"wall", "mbsync", 0.15, 150 * ms},
		{"wall", "bare", 1.5, anyTrip}, {"CPU", "mbsync", 1.5, anyTrip}}},
	{"unchanged", "nothing changed", []time.Duration{0, 40 * ms}, []target{
		{"wall", "mbsync", 0.15, 0}, {"wall", "mbsync", 0.015, 40 * ms}, {"wall", "bare", 1.3, anyTrip}}},
	{"server-changes", "changes on the server", []time.Duration{0, 40 * ms}, []target{
		{"wall", "mbsync", 0.5, 0}, {"wall", "mbsync", 0.25, 40 * ms}}},
	{"local-changes", "changes in the Maildir", []time.Duration{0, 40 * ms}, []target{
		{"wall", "mbsync", 0.5, 0}, {"wall", "mbsync", 0.25, 40 * ms}}},
	{"upload", "upload", []time.Duration{0, 40 * ms}, []target{
		{"wall", "mbsync", 0.5, 0}, {"wall", "mbsync", 0.15, 40 * ms}, {"wall", "bare", 1.5, anyTrip}}},
	{"local-moves", "moved in the Maildir", []time.Duration{0, 40 * ms}, []target{
		{"wall", "mbsync", 0.2, anyTrip}, {"bytes", "mbsync", 0.05, anyTrip}}},
	{"server-moves", "moved on the server", []time.Duration{0, 40 * ms}, []target{
		{"wall", "mbsync", 0.2, anyTrip}, {"bytes", "mbsync", 0.05, anyTrip}}},
	{"memory-first", "first sync of a larger account", []time.Duration{0}, []target{{"resident", "", 96, anyTrip}}},
	{memoryUnchanged, "nothing changed in one huge folder", []time.Duration{0}, []target{{"resident", "", 64, anyTrip}}},
	{hugeServer, "a little changed on the server in one huge folder", []time.Duration{0, 40 * ms}, nil},
	{hugeLocal, "a little changed in the Maildir in one huge folder", []time.Duration{0, 40 * ms}, nil},
}

// slowRows take long to fill.
var slowRows = []string{memoryUnchanged, hugeServer, hugeLocal}

// defaultRows are all but the slow ones.
func defaultRows() []string {
	var keys []string
	for _, r := range allRows {
		if !slices.Contains(slowRows, r.key) {
			keys = append(keys, r.key)
		}
	}
	return keys
}

// size tells how much there is to do in a row.
func (o options) size(key string) string {
	n := o.messages
	switch key {
	case "unchanged":
		return number(o.manyFolders) + " folders of " + number(o.manyEach)
	case "server-changes", "local-changes":
		return number(n/50) + " new, " + number(n/5) + " flag changes, " + number(n/50) + " expunges of " + number(n)
	case "upload":
		return number(2*n/5) + " messages"
	case "local-moves", "server-moves":
		return number(n/10) + " of " + number(n)
	case "memory-first":
		return number(4*n) + " messages"
	case memoryUnchanged:
		return number(o.huge) + " messages"
	case hugeServer, hugeLocal:
		return number(few) + " new, " + number(few) + " flag changes, " + number(few) + " expunges of " + number(o.huge)
	}
	return number(n) + " messages, " + number(o.folders) + " folders"
}

// tripsOf returns the round-trip times that a row is measured at, none if it is
// not asked for.
func (o options) tripsOf(key string) []time.Duration {
	i := slices.IndexFunc(allRows, func(r row) bool { return r.key == key })
	switch {
	case !slices.Contains(o.rows, key):
		return nil
	case o.roundTrips != nil:
		return o.roundTrips
	}
	return allRows[i].roundTrips
}
