package main

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestMetrics: each line is in the text format, each metric has its head once,
// before its samples, and every name is the program's.
func TestMetrics(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 500e6, time.UTC)
	accounts := []*statusObject{
		{head: head{Account: "work"}, LastSuccess: &at, LastRun: &runObject{Started: at.Add(-2500 * time.Millisecond), Finished: &at, Outcome: "done"}, Messages: 7,
			Holds: []holdStatus{{Count: 3}, {Count: 4}}, Quarantined: make([]quarantineStatus, 2), Conflicts: 5, PausedUntil: &at},
		{head: head{Account: "größe"}, LastRun: &runObject{Started: at}},
	}
	text := metrics(accounts)
	for _, want := range []string{
		`imapsync_last_success_timestamp_seconds{account="work"} 1772366400.5`, `imapsync_last_run_duration_seconds{account="work"} 2.5`,
		`imapsync_messages{account="work"} 7`, `imapsync_held_deletions{account="work"} 7`, `imapsync_quarantined_messages{account="work"} 2`,
		`imapsync_conflicts{account="work"} 5`, `imapsync_last_run_outcome{account="work",outcome="done"} 1`,
		`imapsync_last_success_timestamp_seconds{account="größe"} 0`, `imapsync_last_run_timestamp_seconds{account="größe"} 1772366400.5`,
		`imapsync_last_run_duration_seconds{account="größe"} 0`, `imapsync_last_run_outcome{account="größe",outcome="done"} 0`,
	} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("no line %s in\n%s", want, text)
		}
	}
	help, sample := regexp.MustCompile(`^# (HELP|TYPE) (imapsync_[a-z_]+) \S`), regexp.MustCompile(`^(imapsync_[a-z_]+)\{account="[^"]+"(,outcome="[a-z]+")?\} [0-9.]+$`)
	seen, current := map[string]int{}, ""
	for _, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		switch m, s := help.FindStringSubmatch(line), sample.FindStringSubmatch(line); {
		case m != nil:
			current = m[2]
			seen[m[1]+m[2]]++
		case s == nil || s[1] != current:
			t.Errorf("not a sample of %s: %s", current, line)
		}
	}
	for head, n := range seen {
		if n != 1 {
			t.Errorf("%s %d times", head, n)
		}
	}
}
