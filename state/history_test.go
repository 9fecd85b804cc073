package state

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"testing"
	"time"

	"imapsync/mail"
)

func TestHistory(t *testing.T) {
	d := newState(t)
	ctx := context.Background()
	at := time.UnixMilli(1700000000123).UTC()
	entries := []mail.Entry{
		{Run: 1, Time: at, Folder: "INBOX", UID: 5, Key: "a", Action: "download", Rule: "new-remote", Reason: "new on the server"},
		{Run: 1, Time: at.Add(time.Second), Folder: "INBOX", UID: 6, Key: "b", Action: "flags", Rule: "merge", Reason: "both", Conflict: true},
		{Run: 2, Time: at.Add(time.Minute), Folder: "Sent", UID: 5, Key: "a", Action: "upload", Rule: "new-local", Reason: "new here", Conflict: true},
		{Run: 2, Time: at.Add(time.Hour), Folder: "Sent", Action: "create local folder", Rule: "folder", Reason: "new on the server"},
	}
	commit(t, d, mail.Batch{Log: entries})
	for name, c := range map[string]struct {
		trail Trail
		want  []int
	}{
		"all":           {Trail{}, []int{3, 2, 1, 0}},
		"last":          {Trail{Limit: 1}, []int{3}},
		"of a key":      {Trail{Key: "a"}, []int{2, 0}},
		"of a UID":      {Trail{Folder: "INBOX", UID: 5}, []int{0}},
		"of a folder":   {Trail{Folder: "Sent"}, []int{3, 2}},
		"conflicts":     {Trail{Conflicts: true}, []int{2, 1}},
		"last conflict": {Trail{Conflicts: true, Limit: 1}, []int{2}},
		"none":          {Trail{Key: "never"}, nil},
	} {
		got, err := d.History(ctx, c.trail)
		if err != nil {
			t.Fatal(err)
		}
		var want []mail.Entry
		for _, i := range c.want {
			want = append(want, entries[i])
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s\n got %+v\nwant %+v", name, got, want)
		}
	}
}

func TestRuns(t *testing.T) {
	d := newState(t)
	start := time.UnixMilli(1700000000001).UTC()
	first := &mail.RunRecord{Started: start, Counts: map[string]int{}}
	commit(t, d, mail.Batch{Run: first})
	second := &mail.RunRecord{Started: start.Add(time.Hour)}
	commit(t, d, mail.Batch{Run: second})
	second.Finished = start.Add(2 * time.Hour)
	second.Outcome, second.Error = "failed", `folder "INBOX": no`
	second.Counts = map[string]int{"download": 3, "delete local": 1}
	commit(t, d, mail.Batch{Run: second})

	got, err := d.Runs(context.Background(), 5)
	if want := []mail.RunRecord{*second, *first}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("runs\n got %+v\nwant %+v (%v)", got, want, err)
	}
	if got, err := d.Runs(context.Background(), 1); err != nil || len(got) != 1 || got[0].ID != second.ID {
		t.Errorf("last run %+v, %v", got, err)
	}
	if err := d.Commit(context.Background(), mail.Batch{Run: &mail.RunRecord{ID: 99}}); err == nil {
		t.Error("a run that never began was ended")
	}
}

func TestHolds(t *testing.T) {
	d := newState(t)
	holds := []mail.Hold{
		{Side: "local", Folder: "INBOX", Count: 300, Reason: "all of it", Since: time.UnixMilli(1700000000000).UTC()},
		{Side: "remote", Folder: "Sent", Count: 101, Reason: "more than 100", Since: time.UnixMilli(1700000000000).UTC()},
	}
	commit(t, d, mail.Batch{Holds: &holds})
	commit(t, d, mail.Batch{Log: []mail.Entry{{Folder: "INBOX", Action: "flags"}}}) // leaves them
	if got, err := d.Holds(context.Background()); err != nil || !reflect.DeepEqual(got, holds) {
		t.Errorf("holds %+v, %v", got, err)
	}
	commit(t, d, mail.Batch{Holds: &[]mail.Hold{}})
	if got, err := d.Holds(context.Background()); err != nil || len(got) != 0 {
		t.Errorf("holds left %+v, %v", got, err)
	}
}

func TestThePastIsCutOff(t *testing.T) {
	d := newState(t)
	now := time.UnixMilli(1700000000000).UTC()
	var old, young []mail.Entry
	for i := range 10 {
		old = append(old, mail.Entry{Time: now.Add(-historyAge - time.Hour), Folder: "INBOX", Action: fmt.Sprint("old", i)})
		young = append(young, mail.Entry{Time: now.Add(-historyAge + time.Hour), Folder: "INBOX", Action: fmt.Sprint("young", i)})
	}
	commit(t, d, mail.Batch{Log: old})
	commit(t, d, mail.Batch{Run: &mail.RunRecord{Started: now}, Log: young}) // a beginning cuts nothing
	if got, err := d.History(context.Background(), Trail{}); err != nil || len(got) != 20 {
		t.Fatalf("%d entries, %v", len(got), err)
	}
	commit(t, d, mail.Batch{Run: &mail.RunRecord{Started: now, Finished: now}})
	got, err := d.History(context.Background(), Trail{})
	if err != nil || len(got) != 10 || got[9].Action != "young0" {
		t.Errorf("entries left: %+v, %v", got, err)
	}

	// By number: rows far apart stand for many.
	if _, err := d.conn.exec(context.Background(), `UPDATE history SET id = id + ? WHERE action = 'young9'`, int64(historyRows)); err != nil {
		t.Fatal(err)
	}
	if _, err := d.conn.exec(context.Background(), `UPDATE runs SET id = id + ? WHERE finished IS NOT NULL`, int64(runRows)); err != nil {
		t.Fatal(err)
	}
	commit(t, d, mail.Batch{Run: &mail.RunRecord{Started: now, Finished: now}})
	if got, err := d.History(context.Background(), Trail{}); err != nil || len(got) != 1 || got[0].Action != "young9" {
		t.Errorf("entries left: %+v, %v", got, err)
	}
	if got, err := d.Runs(context.Background(), 10); err != nil || len(got) != 2 {
		t.Errorf("runs left: %+v, %v", got, err)
	}

	// All of it, when nothing was logged for long.
	commit(t, d, mail.Batch{Run: &mail.RunRecord{Started: now, Finished: now.Add(2 * historyAge)}})
	if got, err := d.History(context.Background(), Trail{}); err != nil || len(got) != 0 {
		t.Errorf("entries left: %+v, %v", got, err)
	}
}

// A run that finds nothing is told of without a row; whatever else there is to
// record has one.
func TestQuietRuns(t *testing.T) {
	ctx := context.Background()
	at := time.UnixMilli(1700000000000).UTC()
	ended := func(minute int) *mail.RunRecord {
		started := at.Add(time.Duration(minute) * time.Minute)
		return &mail.RunRecord{Started: started, Finished: started.Add(time.Second), Outcome: "done", Counts: map[string]int{}}
	}
	nothing := func(minute int) mail.Batch {
		return mail.Batch{Run: ended(minute), Holds: &[]mail.Hold{}, Pause: &mail.Pause{}}
	}
	var d *DB
	// told are the runs that Runs tells of, as number@minute.
	told := func(want ...string) {
		t.Helper()
		runs, err := d.Runs(ctx, 100)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range runs {
			got = append(got, fmt.Sprintf("%d@%d", r.ID, r.Started.Sub(at)/time.Minute))
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("runs %v, want %v", got, want)
		}
	}
	begin := func() {
		d = newState(t)
		commit(t, d, nothing(0))
		told("1@0") // the first one
		commit(t, d, nothing(1))
		told("2@1", "1@0")
	}

	begin()
	third := ended(2)
	commit(t, d, mail.Batch{Run: third})
	told("3@2", "1@0")
	runs, err := d.Runs(ctx, 1)
	if err != nil || !reflect.DeepEqual(runs[0], *third) {
		t.Errorf("told of %+v (%v), want %+v", runs[0], err, *third)
	}
	failed := ended(4)
	failed.Outcome, failed.Error = "failed", "no"
	commit(t, d, mail.Batch{Run: failed})
	told("4@4", "1@0")
	commit(t, d, nothing(5))
	told("5@5", "4@4", "1@0")

	for name, batch := range map[string]mail.Batch{
		"work done":    {Run: &mail.RunRecord{Started: at.Add(time.Hour), Finished: at.Add(time.Hour), Outcome: "done", Counts: map[string]int{"pair": 1}}},
		"a beginning":  {Run: &mail.RunRecord{Started: at.Add(time.Hour)}},
		"a hold":       {Run: ended(60), Holds: &[]mail.Hold{{Side: "local", Folder: "INBOX", Since: at}}},
		"a pause":      {Run: ended(60), Pause: &mail.Pause{Until: at, Said: "later"}},
		"a quarantine": {Run: ended(60), Quarantine: &[]mail.Quarantined{}},
		"a line":       {Run: ended(60), Log: []mail.Entry{{Folder: "INBOX", Action: "flags"}}},
	} {
		begin()
		commit(t, d, batch)
		told("3@60", "1@0")
		if batch.Run.ID != 3 || rows(t, d) != 2 {
			t.Errorf("%s: run %d, %d rows", name, batch.Run.ID, rows(t, d))
		}
	}

	// What is left of earlier runs is ended by a row.
	begin()
	commit(t, d, mail.Batch{Holds: &[]mail.Hold{{Side: "local", Folder: "INBOX", Since: at}}})
	commit(t, d, nothing(2))
	told("3@2", "1@0")
	if holds, err := d.Holds(ctx); err != nil || len(holds) > 0 || rows(t, d) != 2 {
		t.Errorf("holds left: %v, %v; %d rows", holds, err, rows(t, d))
	}
	commit(t, d, mail.Batch{Pause: &mail.Pause{Until: at, Said: "later"}})
	commit(t, d, nothing(3))
	told("4@3", "3@2", "1@0")
	if pause, err := d.Pause(ctx); err != nil || pause != (mail.Pause{}) || rows(t, d) != 3 {
		t.Errorf("pause left: %v, %v; %d rows", pause, err, rows(t, d))
	}

	// One that was cut short, is of another state or cannot be written.
	for name, text := range map[string]string{
		"cut short":       `{"after":1,"ru`,
		"another state's": `{"after":7,"run":9,"started":1800000000000,"finished":1800000000000}`,
		"an earlier one":  `{"after":1,"run":9,"started":1600000000000,"finished":1600000000000}`,
	} {
		begin()
		if err := os.WriteFile(quietName(d.path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if told("1@0"); t.Failed() {
			t.Fatal(name)
		}
		commit(t, d, nothing(2))
		told("2@2", "1@0")
	}
	if err := errors.Join(os.Remove(quietName(d.path)), os.Mkdir(quietName(d.path), 0o700)); err != nil {
		t.Fatal(err)
	}
	commit(t, d, nothing(3))
	told("2@3", "1@0")
}

// rows counts the runs that have one.
func rows(t *testing.T, d *DB) (n int64) {
	t.Helper()
	if err := d.conn.query(context.Background(), `SELECT count(*) FROM runs`, nil, func(c *columns) { n = c.int() }); err != nil {
		t.Fatal(err)
	}
	return n
}

// It costs no write to the database, which would be synced.
func TestQuietRunsLeaveTheFile(t *testing.T) {
	d := newState(t)
	end := mail.RunRecord{Started: time.UnixMilli(1), Finished: time.UnixMilli(2), Outcome: "done"}
	first, second := end, end
	commit(t, d, mail.Batch{Run: &first})
	before := logged(t, d)
	commit(t, d, mail.Batch{Run: &second})
	if after := logged(t, d); after != before {
		t.Errorf("%d bytes written", after-before)
	}
	third := end
	third.Counts = map[string]int{"pair": 1}
	commit(t, d, mail.Batch{Run: &third})
	if logged(t, d) == before {
		t.Error("a run that did something left no trace in the write-ahead log either")
	}
}
