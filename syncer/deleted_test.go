package syncer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"imapsync/mail"
	"imapsync/syncer"
)

// remembered is a KeepDir and a past without anything behind them.
type remembered struct {
	syncer.Keeper
	kept    []mail.Kept
	entries []mail.Entry
	runs    []mail.RunRecord
}

func (r *remembered) Kept(context.Context) ([]mail.Kept, error) { return r.kept, nil }

func (r *remembered) Actions(context.Context, ...string) ([]mail.Entry, error) { return r.entries, nil }

func (r *remembered) Runs(context.Context, int) ([]mail.RunRecord, error) { return r.runs, nil }

// Runs 3 to 7 of one afternoon: 3 kept nothing any more, 4 was undone, 5 was
// killed, 6 deleted nothing, 7 deleted what 4 had deleted before.
func afternoon() *remembered {
	at := func(minute int, fraction time.Duration) time.Time {
		return time.Date(2026, 5, 4, 15, minute, 0, 0, time.UTC).Add(fraction)
	}
	const late = 700 * time.Millisecond
	run := func(id int64, minute int, killed bool) mail.RunRecord {
		r := mail.RunRecord{ID: id, Started: at(minute, late), Finished: at(minute+2, late)}
		if killed {
			r.Finished = time.Time{}
		}
		return r
	}
	entry := func(run int64, minute int, key mail.Key, action string) mail.Entry {
		return mail.Entry{Run: run, Time: at(minute, late+time.Millisecond), Folder: "A", Key: key, Action: action}
	}
	kept := func(minute int, key mail.Key) mail.Kept { return mail.Kept{Folder: "A", Key: key, At: at(minute, 0)} }
	return &remembered{
		runs: []mail.RunRecord{run(7, 40, false), run(6, 30, false), run(5, 20, true), run(4, 10, false), run(3, 0, false)},
		entries: []mail.Entry{
			entry(3, 0, "old", "delete local"), entry(4, 10, "k", "delete local"), entry(4, 15, "k", "undo"),
			entry(7, 40, "k", "delete local"), entry(7, 41, "l", "delete local"),
		},
		kept: []mail.Kept{kept(-60, "before"), kept(20, "killed"), kept(25, "killed later"), kept(35, "nobody's"), kept(40, "k"), kept(41, "l")},
	}
}

func TestWhichRunDeletedWhat(t *testing.T) {
	all, err := syncer.FindDeleted(t.Context(), afternoon(), afternoon())
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, d := range all.Deletions {
		fmt.Fprintf(&got, "%d at %s: %d deleted, undone %v, kept", d.Run, d.Time.Format("15:04"), d.Deleted, d.Undone)
		for _, k := range d.Kept {
			fmt.Fprintf(&got, " %q", string(k.Key))
		}
		got.WriteString("\n")
	}
	want := `7 at 15:40: 2 deleted, undone false, kept "k" "l"
5 at 15:20: 0 deleted, undone false, kept "killed" "killed later"
4 at 15:10: 1 deleted, undone true, kept
3 at 15:00: 1 deleted, undone false, kept
0 at 14:00: 0 deleted, undone false, kept "before" "nobody's"
`
	if got.String() != want {
		t.Errorf("got\n%swant\n%s", got.String(), want)
	}
	if d, err := all.Last(); err != nil || d.Run != 7 || len(d.Folders()) != 1 {
		t.Errorf("last: %+v, %v", d, err)
	}
	for run, want := range map[int64]string{
		0: "", 5: "", 3: "not kept any more", 4: "back already", 6: "deleted nothing", 2: "too long ago", 8: "no run 8", -3: "no run -3",
	} {
		d, err := all.Of(run)
		switch {
		case want == "" && (err != nil || len(d.Kept) == 0):
			t.Errorf("run %d: %+v, %v", run, d, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("run %d: %v, want %q", run, err, want)
		}
		if errors.Is(err, syncer.ErrNothingToUndo) != (run == 4) {
			t.Errorf("run %d: nothing to undo: %v", run, err)
		}
	}
}

func TestNothingWasDeleted(t *testing.T) {
	all, err := syncer.FindDeleted(t.Context(), &remembered{}, &remembered{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := all.Last(); !errors.Is(err, syncer.ErrNothingToUndo) {
		t.Error(err)
	}
	if _, err := all.Of(1); mail.ClassOf(err) != mail.ClassUsage {
		t.Error(err)
	}
}

// A message deleted, put back and deleted again, all in one second: what is kept
// is of the last deletion.
func TestDeletedAgainInTheSameSecond(t *testing.T) {
	at := func(fraction time.Duration) time.Time {
		return time.Date(2026, 5, 4, 15, 0, 0, 0, time.UTC).Add(fraction)
	}
	entry := func(run int64, fraction time.Duration, action string) mail.Entry {
		return mail.Entry{Run: run, Time: at(fraction), Folder: "A", Key: "k", Action: action}
	}
	past := &remembered{
		runs:    []mail.RunRecord{{ID: 7, Started: at(500), Finished: at(700)}, {ID: 4, Started: at(100), Finished: at(300)}},
		entries: []mail.Entry{entry(4, 200, "delete local"), entry(4, 400, "undo"), entry(7, 600, "delete local")},
		kept:    []mail.Kept{{Folder: "A", Key: "k", At: at(0)}},
	}
	all, err := syncer.FindDeleted(t.Context(), past, past)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := all.Last(); err != nil || d.Run != 7 || len(d.Kept) != 1 {
		t.Errorf("last: %+v, %v", d, err)
	}
}
