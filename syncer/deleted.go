package syncer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"

	"imapsync/mail"
	"imapsync/plan"
)

// Deletion is what one run deleted from the Maildir.
type Deletion struct {
	Run     int64       // NoRun: none that the state knows
	Time    time.Time   // when the first of it was deleted
	Deleted int         // messages, as recorded
	Undone  bool        // some of it at least was put back
	Kept    []mail.Kept // what can be put back
}

// NoRun stands for runs of which the state has no record, such as those before
// it was lost.
const NoRun = 0

// Folders are the folders of what is kept, sorted.
func (d Deletion) Folders() []mail.FolderName {
	var names []mail.FolderName
	for _, k := range d.Kept {
		names = append(names, k.Folder)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Deleted is what all runs deleted from the Maildir, the newest run first.
type Deleted struct {
	Deletions []Deletion
	runs      []mail.RunRecord // newest first
}

// allRuns is more than the state keeps.
const allRuns = 1 << 30

// at is where a message lay.
type at struct {
	folder mail.FolderName
	key    mail.Key
}

// FindDeleted tells what runs deleted from the Maildir, and what of it is kept.
// The history says which run removed a file. Where a run was killed before it
// could record that, the time of the removal says it.
func FindDeleted(ctx context.Context, keeper Keeper, past Past) (*Deleted, error) {
	kept, err := keeper.Kept(ctx)
	if err != nil {
		return nil, err
	}
	entries, err := past.Actions(ctx, string(plan.DeleteLocal), mail.ActionUndo)
	if err != nil {
		return nil, err
	}
	all := &Deleted{}
	if all.runs, err = past.Runs(ctx, allRuns); err != nil {
		return nil, err
	}
	byRun := map[int64]*Deletion{}
	of := func(run int64, when time.Time) *Deletion {
		d := byRun[run]
		if d == nil {
			d = &Deletion{Run: run, Time: when}
			byRun[run] = d
		}
		if when.Before(d.Time) {
			d.Time = when
		}
		return d
	}
	recorded := map[at][]mail.Entry{}
	for _, e := range entries {
		d := of(e.Run, e.Time)
		where := at{e.Folder, e.Key}
		if e.Action == mail.ActionUndo { // what is kept under this name is another run's
			d.Undone = true
			recorded[where] = slices.DeleteFunc(recorded[where], func(r mail.Entry) bool { return r.Run == e.Run })
			continue
		}
		d.Deleted++
		recorded[where] = append(recorded[where], e)
	}
	for _, k := range kept {
		d := of(all.runOf(k, recorded[at{k.Folder, k.Key}]), k.At)
		d.Kept = append(d.Kept, k)
	}
	for _, d := range byRun {
		all.Deletions = append(all.Deletions, *d)
	}
	sort.Slice(all.Deletions, func(i, j int) bool { return all.Deletions[i].Run > all.Deletions[j].Run })
	return all, nil
}

// runOf tells which run removed a kept file, given the recorded deletions of
// that name, oldest first. A file is removed before that is recorded; both times
// are compared in the whole seconds of the kept one.
func (d *Deleted) runOf(k mail.Kept, recorded []mail.Entry) int64 {
	for _, e := range recorded {
		if !e.Time.Before(k.At) {
			return e.Run
		}
	}
	for _, r := range d.runs {
		if r.Started.Truncate(time.Second).After(k.At) {
			continue
		}
		if r.Finished.IsZero() || !r.Finished.Before(k.At) {
			return r.ID
		}
		break
	}
	return NoRun
}

// ErrNothingToUndo says that everything is as an undo would make it.
var ErrNothingToUndo = errors.New("nothing to undo")

// Last is the deletion of the last run that deleted anything from the Maildir.
// ErrNothingToUndo where there is none or it is undone.
func (d *Deleted) Last() (Deletion, error) {
	if len(d.Deletions) == 0 {
		return Deletion{}, fmt.Errorf("%w: no run has deleted anything from the Maildir", ErrNothingToUndo)
	}
	return d.Deletions[0].undoable()
}

// Of is the deletion of a run. ErrNothingToUndo where it is undone.
func (d *Deleted) Of(run int64) (Deletion, error) {
	for _, x := range d.Deletions {
		if x.Run == run {
			return x.undoable()
		}
	}
	why := mail.Fault{Scope: mail.ScopeAccount, Doing: "undo", Hint: "imapsync undo --list shows what can be undone"}
	switch n := len(d.runs); {
	case n > 0 && run >= d.runs[n-1].ID && run <= d.runs[0].ID:
		why.Err = fmt.Errorf("run %d deleted nothing from the Maildir", run)
	case n > 0 && run > NoRun && run < d.runs[n-1].ID:
		why.Err = fmt.Errorf("run %d is too long ago: nothing is known of it any more", run)
	default:
		why.Class, why.Err = mail.ClassUsage, fmt.Errorf("there is no run %d", run)
	}
	return Deletion{}, &why
}

// undoable is the deletion if any of it can be put back.
func (d Deletion) undoable() (Deletion, error) {
	switch {
	case len(d.Kept) > 0:
		return d, nil
	case d.Undone:
		return d, fmt.Errorf("%w: what run %d deleted from the Maildir is back already", ErrNothingToUndo, d.Run)
	}
	return d, &mail.Fault{Scope: mail.ScopeAccount, Doing: "undo",
		Err:  fmt.Errorf("what run %d deleted from the Maildir at %s is not kept any more", d.Run, d.Time.Local().Format(time.DateTime)),
		Hint: "keep_deleted in the configuration says how long it is kept; the server or a backup may still have it"}
}
