package syncer_test

import (
	"flag"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"imapsync/internal/simworld"
)

var update = flag.Bool("update", false, "rewrite the plans and ends of the scenarios; commit only what you understand")

const scenarioDir = "../testdata/scenarios"

// scenarios calls test for each scenario file.
func scenarios(t *testing.T, test func(t *testing.T, file string, s *simworld.Scenario)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(scenarioDir, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios in %s: %v", scenarioDir, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s, err := simworld.Parse(file, string(text))
			if err != nil {
				t.Fatal(err)
			}
			test(t, file, s)
		})
	}
}

// Each scenario goes as it says, and the run after each round does nothing.
func TestScenarios(t *testing.T) {
	scenarios(t, func(t *testing.T, file string, s *simworld.Scenario) {
		for seed := range uint64(3) {
			played, err := s.Play(engine, simworld.Variation{Seed: seed})
			if *update && played != nil {
				if err := os.WriteFile(file, []byte(played.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err != nil {
				t.Errorf("seed %d: %v", seed, err)
				return
			}
		}
	})
}

// With the sides swapped the plan and the end are swapped.
func TestScenariosMirrored(t *testing.T) {
	scenarios(t, func(t *testing.T, _ string, s *simworld.Scenario) {
		if !s.Mirrors() {
			return
		}
		if _, err := s.Play(engine, simworld.Variation{Mirrored: true}); err != nil {
			t.Error(err)
		}
	})
}

// Whatever the server cannot do, the end is the same.
func TestScenariosOnPoorServers(t *testing.T) {
	poor := []simworld.Variation{
		{NoMove: true}, {NoUIDPlus: true}, {NoModSeq: true}, {NoMarks: true},
		{NoMove: true, NoUIDPlus: true, NoModSeq: true, NoMarks: true},
	}
	scenarios(t, func(t *testing.T, _ string, s *simworld.Scenario) {
		for _, v := range poor {
			if _, err := s.Play(engine, v); err != nil {
				t.Errorf("%+v: %v", v, err)
				return
			}
		}
	})
}

// Whatever goes wrong at whichever effect of a run, the runs after it reach
// the same end. With the race detector a part of the scenarios is played.
func TestScenariosKilledAtEveryStep(t *testing.T) {
	troubles := []simworld.Trouble{simworld.CrashBefore, simworld.CrashAfter, simworld.LostBefore, simworld.LostAfter, simworld.Refused,
		simworld.CrashLate, simworld.LostLate}
	rich := simworld.Variation{}
	poor := simworld.Variation{NoMove: true, NoUIDPlus: true, NoModSeq: true, NoMarks: true}
	scenarios(t, func(t *testing.T, file string, s *simworld.Scenario) {
		if crc32.ChecksumIEEE([]byte(filepath.Base(file)))%killed > 0 {
			return
		}
		for _, v := range []simworld.Variation{rich, poor} {
			rounds, err := s.Steps(engine, v)
			if err != nil {
				t.Fatal(err)
			}
			for round, steps := range rounds {
				stride := 1 + steps/16 // of many like steps, some for each trouble
				for i, trouble := range troubles {
					for step := 1 + i%stride; step <= steps; step += stride {
						v.Trouble, v.Round, v.Step, v.Seed = trouble, round, step, uint64(step)
						if _, err := s.Play(engine, v); err != nil {
							t.Fatal(fmt.Errorf("%s step %d (poor server: %v): %w", trouble, step, v.NoMove, err))
						}
					}
				}
			}
		}
	})
}
