package syncer

import (
	"context"
	"fmt"
	"time"

	"imapsync/mail"
)

// Keeper is what undo needs of the Maildir beyond Local: the files that runs
// removed and that are kept.
type Keeper interface {
	// Kept lists them, in the order of their removal.
	Kept(ctx context.Context) ([]mail.Kept, error)
	// Content reads one of them.
	Content(ctx context.Context, k mail.Kept) (mail.Content, error)
	// Restore puts one back as it was and returns the key it has then; one that
	// is back already is left alone. The folder must exist and have been scanned.
	// Durable after Sync.
	Restore(ctx context.Context, k mail.Kept) (mail.Key, error)
	// Release gives up kept copies of files that are back and durable.
	Release(ctx context.Context, kept []mail.Kept) error
}

// Past is what undo needs of the state beyond State.
type Past interface {
	// Actions returns the lines of the history with one of these actions, oldest
	// first.
	Actions(ctx context.Context, actions ...string) ([]mail.Entry, error)
	// Runs returns the last runs, newest first, at most limit.
	Runs(ctx context.Context, limit int) ([]mail.RunRecord, error)
}

// Undone is what an undo has done.
type Undone struct {
	Back     []mail.Kept
	Present  []mail.Kept // not put back: their folders have the same messages already
	Failures []error
}

// Undo puts back what is kept of a deletion. To the next run they are new
// messages of the Maildir.
//
// It may be cut short anywhere, and done again: a message that is back is left
// alone, as is one that came back in another way. told is called for each, as the
// file that the folder has of it now. Base rows that still name one, because the run was killed before it
// recorded the deletion, are dropped first, or the next run would take the file
// for deleted on the server and remove it again. The error is of account scope.
// The caller must hold the account's lock.
func Undo(ctx context.Context, acc Account, keeper Keeper, d Deletion, told func(k mail.Kept, as mail.Key, present bool)) (Undone, error) {
	if err := checkRestorable(ctx, acc); err != nil {
		return Undone{}, err
	}
	records, err := acc.State.Folders(ctx)
	if err != nil {
		return Undone{}, err
	}
	if acc.Now == nil {
		acc.Now = time.Now
	}
	u := &undo{Account: acc, keeper: keeper, run: d.Run, told: told, validity: map[mail.FolderName]uint32{}}
	for _, r := range records {
		u.validity[r.Folder] = r.Mark.UIDValidity
	}
	groups := map[mail.FolderName][]mail.Kept{}
	for _, k := range d.Kept {
		groups[k.Folder] = append(groups[k.Folder], k)
	}
	for _, name := range d.Folders() { // parents before children
		err := u.folder(ctx, name, groups[name])
		if err != nil && (accountScope(err) || ctx.Err() != nil) {
			return u.done, err
		}
		if err != nil {
			u.done.Failures = append(u.done.Failures, err)
		}
	}
	return u.done, nil
}

// checkRestorable makes sure that the Maildir is there and the one known: on a
// disk that is not mounted the messages would be put where nobody finds them.
func checkRestorable(ctx context.Context, acc Account) error {
	if err := CheckIdentity(ctx, acc); err != nil {
		return err
	}
	id, err := acc.State.Account(ctx)
	if err != nil {
		return err
	}
	marker, _, err := acc.Local.Marker(ctx)
	if err != nil || marker != "" || id.Marker == "" {
		return err
	}
	return &mail.Fault{Scope: mail.ScopeAccount, Class: mail.ClassHeld, Doing: "check the Maildir",
		Err:  fmt.Errorf("%s has no .imapsync-id", acc.Maildir),
		Hint: "if it is the right Maildir, run imapsync sync first, which makes it anew; else mount it, or set `maildir` right"}
}

// undo is one Undo under way.
type undo struct {
	Account
	keeper   Keeper
	run      int64
	told     func(mail.Kept, mail.Key, bool)
	validity map[mail.FolderName]uint32

	done Undone
}

// returned is a message that its folder has again.
type returned struct {
	mail.Kept
	as      mail.Key
	present bool // it was there before
}

// folder puts messages back into one folder. What was begun is made durable and
// recorded even if the context ends.
func (u *undo) folder(ctx context.Context, name mail.FolderName, kept []mail.Kept) error {
	snap, err := u.Local.Scan(ctx, name, false)
	if err == nil && !snap.Exists {
		if err = u.Local.CreateFolder(ctx, name); err == nil {
			snap, err = u.Local.Scan(ctx, name, false)
		}
	}
	if err == nil {
		err = u.dropRows(ctx, name, kept, snap)
	}
	var there holdings
	if err == nil {
		there, err = u.holdings(ctx, name, kept, snap)
	}
	if err != nil {
		return err
	}
	var done []returned
	var stopped error
	for _, k := range kept {
		if stopped = ctx.Err(); stopped != nil {
			break
		}
		r, err := u.message(ctx, k, there)
		if accountScope(err) {
			stopped = err
			break
		}
		if err != nil {
			u.done.Failures = append(u.done.Failures, err)
			continue
		}
		done = append(done, r)
	}
	if err := u.settle(context.WithoutCancel(ctx), name, done); err != nil {
		return err
	}
	return stopped
}

// dropRows drops the rows whose file is among those to be put back and is not
// in the folder; the next run compares the folder in full then.
func (u *undo) dropRows(ctx context.Context, name mail.FolderName, kept []mail.Kept, snap mail.LocalSnapshot) error {
	rows, err := u.State.Rows(ctx, name)
	if err != nil {
		return err
	}
	missing := map[mail.Key]bool{}
	for _, k := range kept {
		if _, there := snap.Messages[k.Key]; !there {
			missing[k.Key] = true
		}
	}
	var b mail.Batch
	for _, row := range rows {
		if row.Key != "" && missing[row.Key] {
			b.Drop = append(b.Drop, row)
		}
	}
	if len(b.Drop) == 0 {
		return nil
	}
	b.Folders = []mail.FolderRecord{unsettledRecord(name, u.validity[name])}
	return u.State.Commit(ctx, b)
}

// settle makes what is back durable, records it, and gives the kept copies up,
// in this order.
func (u *undo) settle(ctx context.Context, name mail.FolderName, done []returned) error {
	if len(done) == 0 {
		return nil
	}
	if err := u.Local.Sync(ctx, name); err != nil {
		return err
	}
	var b mail.Batch
	kept := make([]mail.Kept, len(done))
	for i, r := range done {
		kept[i] = r.Kept
		e := mail.Entry{Run: u.run, Time: u.Now(), Folder: name, Key: r.as, Action: mail.ActionUndo, Rule: mail.ActionUndo,
			Reason: "put back by imapsync undo, as the user asked"}
		if r.present {
			e.Reason = "not put back by imapsync undo: the folder has the same message already"
		}
		if r.as != r.Key {
			left := e
			left.Key, left.Action = r.Key, mail.ActionLeft
			b.Log = append(b.Log, left)
		}
		b.Log = append(b.Log, e)
	}
	if err := u.State.Commit(ctx, b); err != nil {
		return err
	}
	if err := u.keeper.Release(ctx, kept); err != nil {
		return err
	}
	for _, r := range done {
		if r.present {
			u.done.Present = append(u.done.Present, r.Kept)
		} else {
			u.done.Back = append(u.done.Back, r.Kept)
		}
		if u.told != nil {
			u.told(r.Kept, r.as, r.present)
		}
	}
	return nil
}
