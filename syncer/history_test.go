package syncer_test

import (
	"encoding/hex"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"testing/synctest"

	"imapsync/internal/simworld"
)

// play plays a history in a bubble, where the order of calls is the seed's.
func play(t *testing.T, data []byte) (h *simworld.History, err error) {
	synctest.Test(t, func(*testing.T) {
		h = simworld.NewHistory(engine, data)
		err = h.Play()
	})
	return h, err
}

// playHistory plays one history and tells all about it if it breaks a promise.
func playHistory(t *testing.T, name string, data []byte) {
	t.Helper()
	h, err := play(t, data)
	if err != nil {
		t.Errorf("%s: %v\nbytes %s\n%s", name, err, hex.EncodeToString(data), h.Log())
	}
}

// seededHistory makes the bytes of a history from its number.
func seededHistory(seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	data := make([]byte, 40+r.IntN(160))
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	return data
}

// Whatever people do on both sides, between runs and during them, and whatever
// goes wrong, both sides end the same, nothing is lost, nothing doubled, nothing
// comes back. SEEDS=n plays n histories, SEED=n the nth alone.
func TestHistories(t *testing.T) {
	if s := os.Getenv("SEED"); s != "" {
		seed, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		playHistory(t, "SEED="+s, seededHistory(seed))
		return
	}
	seeds := uint64(2000)
	if s := os.Getenv("SEEDS"); s != "" {
		var err error
		if seeds, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	for seed := range seeds {
		playHistory(t, "SEED="+strconv.FormatUint(seed, 10), seededHistory(seed))
		if t.Failed() {
			return
		}
	}
}

// The same history is the same calls each time, or a seed would prove nothing.
func TestHistoriesAreDeterministic(t *testing.T) {
	for seed := range uint64(50) {
		var logs [2]string
		for i := range logs {
			h, _ := play(t, seededHistory(seed))
			logs[i] = h.Log()
		}
		if logs[0] != logs[1] {
			t.Fatalf("seed %d went two ways:\n%s\n---\n%s", seed, logs[0], logs[1])
		}
	}
}

func FuzzHistories(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seededHistory(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) { playHistory(t, "fuzz", data) })
}
