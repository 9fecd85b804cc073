package syncer_test

import (
	"context"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"imapsync/internal/simworld"
	"imapsync/syncer"
)

// verify compares everything and returns what it found.
func verify(t *testing.T, account syncer.Account, o syncer.VerifyOptions) (found []syncer.Finding, report *syncer.VerifyReport) {
	t.Helper()
	report, err := syncer.Verify(context.Background(), account, o, func(f syncer.Finding) { found = append(found, f) })
	if err != nil {
		t.Fatal(err)
	}
	return found, report
}

// lasting are the options of a history that are the account's, not a run's.
func lasting(h *simworld.History) simworld.Options {
	o := h.Story().Options
	return simworld.Options{Expunge: o.Expunge, Trash: o.Trash, TrashApart: o.TrashApart}
}

// verifyHistory plays a history to its quiet end and verifies what it left.
func verifyHistory(t *testing.T, seed uint64) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var world *simworld.World
		h := simworld.PlayBytes(func(w *simworld.World, o simworld.Options) (*syncer.Report, error) {
			world = w
			return engine(w, o)
		}, seededHistory(seed))
		if h.Failed() != nil {
			t.Fatalf("SEED=%d: %v", seed, h.Failed())
		}
		defer world.Schedule()()
		world.Begin(10 * time.Second)
		found, report := verify(t, simAccount(world, lasting(h)), syncer.VerifyOptions{Lanes: 2})
		for _, f := range found {
			t.Errorf("SEED=%d: %+v", seed, f)
		}
		if len(report.Failures) > 0 {
			t.Errorf("SEED=%d: %v", seed, report.Failures)
		}
		for _, c := range world.Trace() {
			if c.Effect {
				t.Errorf("SEED=%d: it did %s", seed, c)
			}
		}
		for _, w := range world.Wrong() {
			t.Errorf("SEED=%d: breach of contract: %s", seed, w)
		}
		if t.Failed() {
			t.Log(h.Log())
		}
	})
}

// After any history, when all is quiet, there is nothing to find, and nothing
// was changed in looking.
func TestVerifyFindsNothingWhenAllIsQuiet(t *testing.T) {
	for seed := range seedsOr(t, 300) {
		verifyHistory(t, seed)
		if t.Failed() {
			return
		}
	}
}

// seedsOr is how many histories to play: n, or what SEEDS says.
func seedsOr(t *testing.T, n uint64) uint64 {
	if s := os.Getenv("SEEDS"); s != "" {
		var err error
		if n, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	return n
}
