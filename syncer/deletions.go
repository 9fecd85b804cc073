package syncer

import (
	"context"
	"errors"

	"imapsync/mail"
	"imapsync/plan"
)

// deleteLocal removes files of messages that the server lost, or that are marked.
func (a *applier) deleteLocal(ctx context.Context, f *folder, ops []*plan.Op) error {
	b, done, err := a.removeFiles(ctx, f, ops)
	if err != nil || len(done)+len(b.Staying) == 0 {
		return err
	}
	return a.recordLater(outcome{f: f, onDisk: len(done) > 0, ops: len(ops), record: func() (mail.Batch, []*plan.Op) { return b, done }}, opsRecorded)
}

// removeFiles removes files, and tells what is to be recorded once that is durable.
// That this is about to be done is recorded first, for a file that is gone looks like
// one that the user deleted: see recoverRemovals.
func (a *applier) removeFiles(ctx context.Context, f *folder, ops []*plan.Op) (b mail.Batch, done []*plan.Op, err error) {
	var intended mail.Batch
	for _, o := range ops {
		if o.Row.ID != 0 { // else it was never on the server
			intended.Removing = append(intended.Removing, o.Row)
		}
	}
	if err := a.commit(intended); err != nil {
		return b, nil, err
	}
	for i, o := range ops {
		if a.stop.Err() != nil || ctx.Err() != nil {
			for _, o := range ops[i:] {
				b.Staying = append(b.Staying, o.Row)
			}
			break // what was removed is recorded below
		}
		err := a.remove(ctx, f, o, a.Local.Remove)
		if accountScope(err) {
			return b, done, err
		}
		if err != nil {
			if errors.Is(err, mail.ErrChanged) { // after any other error the file may be gone all the same
				b.Staying = append(b.Staying, o.Row)
			}
			a.fail(f.Name, o, err)
			continue
		}
		b.Drop = append(b.Drop, o.Row)
		done = append(done, o)
	}
	return b, done, nil
}

// remove takes the file away unless it was rewritten in place since its content
// was last read: then nobody deleted what is in it now. A file that came in the
// place of the row's, as a reader leaves it that copies and removes, has a time
// of its own.
func (a *applier) remove(ctx context.Context, f *folder, o *plan.Op, by remover) error {
	stamp := o.Row.File
	if o.Local.Content != nil && o.Local.Stamp != nil { // it was read in this run
		stamp = *o.Local.Stamp
	}
	if stamp == (mail.FileStamp{}) { // of a copy that recovery adopted
		content, now, _, err := a.Local.Read(ctx, f.Name, o.Local.Key)
		if err != nil {
			return err
		}
		if content.Digest != o.Row.Content.Digest {
			return mail.ErrChanged
		}
		stamp = now
	}
	return by(ctx, f.Name, o.Local.Key, o.Local.Flags, stamp)
}

// remover is Local.Remove or Local.Discard.
type remover func(ctx context.Context, folder mail.FolderName, key mail.Key, expected mail.Flags, stamp mail.FileStamp) error

// deleteRemote expunges messages, or moves them to the trash, whose flags are still
// those the decision was made on; a message changed in the meantime is left to the
// next run. A copy that takes a message's place is to get every change of its flags.
func (a *applier) deleteRemote(ctx context.Context, f *folder, ops []*plan.Op) error {
	if ops = a.withoutTrash(f, ops); len(ops) == 0 {
		return nil
	}
	mark, err := a.readyTrash(ctx, ops)
	if err != nil {
		return err
	}
	mb, err := a.open(ctx, f)
	if err != nil {
		return err
	}
	defer mb.Close()
	now, err := mb.Flags(ctx, askedFirst(ops))
	if err != nil {
		return err
	}
	var done, there, trashed, marked []*plan.Op
	for _, o := range ops {
		flags, exists := now[o.Remote.UID]
		if exists && (touched(o.Remote.Flags, flags) || o.Moved && plan.Changes(mb.Space(), flags, o.Remote.Flags)) {
			a.fail(f.Name, o, mail.ErrChanged)
			continue
		}
		done = append(done, o)
		switch {
		case exists && o.To != "":
			trashed = append(trashed, o)
			if flags.System&mail.Deleted != 0 {
				marked = append(marked, o)
			}
		case exists:
			there = append(there, o)
		}
	}
	var b mail.Batch
	if len(trashed) > 0 {
		if b.Drop, err = a.moveToTrash(ctx, mb, f, trashed, marked, mark); err != nil {
			return err
		}
		if !a.features.Move {
			there = append(there, trashed...)
		}
	}
	if len(there) > 0 {
		a.goAhead(mb, f)
		if err := mb.Expunge(ctx, askedFirst(there)); err != nil {
			return err
		}
	}
	b.Drop = append(b.Drop, a.lost(f, done)...)
	if len(done) == 0 {
		return nil
	}
	return a.recordLater(outcome{f: f, ops: len(done), record: func() (mail.Batch, []*plan.Op) { return b, done }}, opsRecorded)
}

// lost are the rows of messages that were deleted on the server and have no file.
func (a *applier) lost(f *folder, ops []*plan.Op) (rows []*mail.Base) {
	for _, o := range ops {
		switch {
		case !o.Stays:
			rows = append(rows, o.Row)
		case o.To != "" && a.trashSynced():
			a.trouble(f.Name) // the file is to follow, and the row does not say how it is marked
		}
	}
	return rows
}

// touched reports whether somebody did to a message what a deletion may have
// to yield to.
func touched(seen, now mail.Flags) bool {
	return !now.Minus(seen).IsEmpty() || (seen.System&^now.System)&mail.Deleted != 0
}

func (a *applier) forget(_ context.Context, _ *folder, ops []*plan.Op) error {
	var b mail.Batch
	for _, o := range ops {
		b.Drop = append(b.Drop, o.Row)
	}
	return a.record(b, ops...)
}
