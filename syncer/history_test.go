package syncer_test

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"imapsync/internal/simworld"
)

const historyDir = "../testdata/histories"

// bubble plays a history where the order of calls is the seed's.
func bubble(t *testing.T, play func() *simworld.History) (h *simworld.History) {
	synctest.Test(t, func(*testing.T) { h = play() })
	return h
}

func playBytes(t *testing.T, e simworld.Engine, data []byte) *simworld.History {
	return bubble(t, func() *simworld.History { return simworld.PlayBytes(e, data) })
}

func playStory(t *testing.T, e simworld.Engine, s *simworld.Story) *simworld.History {
	return bubble(t, func() *simworld.History { return s.Play(e) })
}

// shrink drops from a broken history all that it breaks the same promise
// without.
func shrink(t *testing.T, e simworld.Engine, s *simworld.Story) *simworld.Story {
	return s.Shrink(func(s *simworld.Story) (*simworld.Story, error) {
		h := playStory(t, e, s)
		return h.Story(), h.Failed()
	})
}

// playHistory plays one history and, if it breaks a promise, tells the least
// that breaks it: as bytes for the fuzzer and as a file for testdata/histories.
func playHistory(t *testing.T, name string, data []byte) (kept bool) {
	t.Helper()
	h := playBytes(t, engine, data)
	if h.Failed() == nil {
		return true
	}
	promise := simworld.PromiseOf(h.Failed())
	short := simworld.ShrinkBytes(data, func(data []byte) bool {
		return simworld.PromiseOf(playBytes(t, engine, data).Failed()) == promise
	})
	story := shrink(t, engine, h.Story())
	last := playStory(t, engine, story)
	t.Errorf("%s: %v\nthe shortest bytes: %s\nthe shortest history, for a file in testdata/histories:\n\n%s\nhow it goes: %v\n%s",
		name, h.Failed(), hex.EncodeToString(short), story, last.Failed(), last.Log())
	return false
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

func number(t *testing.T, name string, otherwise uint64) uint64 {
	s := os.Getenv(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// Whatever people do on both sides, between runs and during them, and whatever
// goes wrong, both sides end the same, nothing is lost, nothing doubled, nothing
// comes back. SEEDS=n plays n histories from the FROM-th on, SEED=n the nth
// alone. It ends at the first failure, or that of the number in FAILURES.
func TestHistories(t *testing.T) {
	if seed := number(t, "SEED", 0); seed != 0 {
		playHistory(t, fmt.Sprintf("SEED=%d", seed), seededHistory(seed))
		return
	}
	from := number(t, "FROM", 1)
	to := from + number(t, "SEEDS", histories)
	var next, played, failed atomic.Uint64
	enough := number(t, "FAILURES", 1)
	next.Store(from)
	t.Run("seeds", func(t *testing.T) {
		for lane := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint(lane), func(t *testing.T) {
				t.Parallel()
				for seed := next.Add(1) - 1; seed < to && failed.Load() < enough; seed = next.Add(1) - 1 {
					if !playHistory(t, fmt.Sprintf("SEED=%d", seed), seededHistory(seed)) {
						failed.Add(1)
					}
					played.Add(1)
				}
			})
		}
	})
	t.Logf("%d histories played", played.Load())
}

// The histories that once broke a promise, and some that should be understood,
// keep all promises.
func TestHistoryFiles(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(historyDir, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no histories in %s: %v", historyDir, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s, err := simworld.ParseStory(file, string(text))
			if err != nil {
				t.Fatal(err)
			}
			if h := playStory(t, engine, s); h.Failed() != nil {
				t.Errorf("%v\n%s", h.Failed(), h.Log())
			}
		})
	}
}

// The same history is the same calls each time, or a seed would prove nothing;
// and written down and read again it is the same history.
func TestHistoriesAreDeterministic(t *testing.T) {
	for seed := range uint64(150) {
		h, again := playBytes(t, engine, seededHistory(seed)), playBytes(t, engine, seededHistory(seed))
		if h.Log() != again.Log() {
			t.Fatalf("seed %d went two ways:\n%s\n---\n%s", seed, h.Log(), again.Log())
		}
		s, err := simworld.ParseStory("written", h.Story().String())
		if err != nil {
			t.Fatal(err)
		}
		if read := playStory(t, engine, s); read.Story().String() != h.Story().String() || calls(read) != calls(h) {
			t.Fatalf("seed %d goes another way when it is read:\n%s\n---\n%s", seed, h.Log(), read.Log())
		}
	}
}

// calls is what a history says of its runs.
func calls(h *simworld.History) string {
	_, runs, _ := strings.Cut(h.Log(), "\n\n")
	return runs
}

func FuzzHistories(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seededHistory(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) { playHistory(t, "fuzz", data) })
}
