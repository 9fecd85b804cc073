package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// gauges are the metrics of an account, in the text format of Prometheus, with
// what they are of its status. A time that never was is 0.
var gauges = []struct {
	name, help string
	value      func(s *statusObject) float64
}{
	{"last_success_timestamp_seconds", "When the last run without any failure ended.", func(s *statusObject) float64 { return seconds(s.LastSuccess) }},
	{"last_run_timestamp_seconds", "When the last run ended, or began where it has not ended.", func(s *statusObject) float64 {
		switch {
		case s.LastRun == nil:
			return 0
		case s.LastRun.Finished == nil:
			return seconds(&s.LastRun.Started)
		}
		return seconds(s.LastRun.Finished)
	}},
	{"last_run_duration_seconds", "How long the last run took.", func(s *statusObject) float64 {
		if s.LastRun == nil || s.LastRun.Finished == nil {
			return 0
		}
		return s.LastRun.Finished.Sub(s.LastRun.Started).Seconds()
	}},
	{"folders", "Folders under synchronisation.", func(s *statusObject) float64 { return float64(s.Folders) }},
	{"messages", "Messages that both sides agree on.", func(s *statusObject) float64 { return float64(s.Messages) }},
	{"left_messages", "Messages that limits leave on the server.", func(s *statusObject) float64 { return float64(s.Left) }},
	{"stub_messages", "Messages that are held as stubs.", func(s *statusObject) float64 { return float64(s.Stubs) }},
	{"held_deletions", "Deletions held until they are confirmed.", func(s *statusObject) float64 {
		held := 0
		for _, h := range s.Holds {
			held += h.Count
		}
		return float64(held)
	}},
	{"conflicts", "Conflicts in the history that is kept.", func(s *statusObject) float64 { return float64(s.Conflicts) }},
	{"quarantined_messages", "Messages set aside, for the server would not give or take them.", func(s *statusObject) float64 { return float64(len(s.Quarantined)) }},
	{"paused_until_timestamp_seconds", "Until when the server asked to be left alone.", func(s *statusObject) float64 { return seconds(s.PausedUntil) }},
}

func seconds(t *time.Time) float64 {
	if t == nil || t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

// outcomes are those of a run that has ended.
var outcomes = []string{"done", "held", "failed", "interrupted"}

// metrics writes what the accounts' states tell for Prometheus.
func metrics(accounts []*statusObject) string {
	var b strings.Builder
	head := func(name, help string) {
		fmt.Fprintf(&b, "# HELP imapsync_%s %s\n# TYPE imapsync_%s gauge\n", name, help, name)
	}
	for _, g := range gauges {
		head(g.name, g.help)
		for _, s := range accounts {
			fmt.Fprintf(&b, "imapsync_%s{account=%q} %s\n", g.name, s.Account, strconv.FormatFloat(g.value(s), 'f', -1, 64))
		}
	}
	head("last_run_outcome", "1 for how the last run ended, 0 for the other outcomes.")
	for _, s := range accounts {
		for _, outcome := range outcomes {
			is := 0
			if s.LastRun != nil && s.LastRun.Outcome == outcome {
				is = 1
			}
			fmt.Fprintf(&b, "imapsync_last_run_outcome{account=%q,outcome=%q} %d\n", s.Account, outcome, is)
		}
	}
	return b.String()
}

// writeMetrics puts the file in place whole: whoever reads it meanwhile sees
// all of the old one or all of the new one. Anybody may read it, for the
// collector runs as another user.
func writeMetrics(file, text string) (err error) {
	if info, err := os.Lstat(file); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("write metrics: %s is there and is no file", file)
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*")
	if err != nil {
		return fmt.Errorf("write metrics: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp.Name())
			err = fmt.Errorf("write metrics: %w", err)
		}
	}()
	_, err = tmp.WriteString(text)
	if merr := tmp.Chmod(0o644); err == nil {
		err = merr
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), file)
}
