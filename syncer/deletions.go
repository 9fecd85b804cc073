package syncer

import (
	"context"
	"errors"

	"imapsync/mail"
	"imapsync/plan"
)

// deleteLocal removes files of messages that the server lost. That this is about
// to be done is recorded first, for a file that is gone looks like one that the
// user deleted: see recoverRemovals.
func (a *applier) deleteLocal(ctx context.Context, f *folder, ops []*plan.Op) error {
	var intended, b mail.Batch
	for _, o := range ops {
		intended.Removing = append(intended.Removing, o.Row)
	}
	if err := a.commit(intended); err != nil {
		return err
	}
	var done []*plan.Op
	for i, o := range ops {
		if a.stop.Err() != nil || ctx.Err() != nil {
			b.Staying = append(b.Staying, intended.Removing[i:]...)
			break // what was removed is recorded below
		}
		err := a.remove(ctx, f, o, a.Local.Remove)
		if accountScope(err) {
			return err
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
	if len(done) > 0 {
		if err := a.Local.Sync(ctx, f.Name); err != nil {
			return err
		}
	}
	return a.record(b, done...)
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

// deleteRemote expunges messages whose flags are still those the decision was
// made on; a message changed in the meantime is left to the next run. A copy that
// takes a message's place is to get every change of its flags.
func (a *applier) deleteRemote(ctx context.Context, f *folder, ops []*plan.Op) error {
	mb, err := a.open(ctx, f)
	if err != nil {
		return err
	}
	defer mb.Close()
	uids := make([]mail.UID, 0, len(ops))
	for _, o := range ops {
		uids = append(uids, o.Remote.UID)
	}
	now, err := mb.Flags(ctx, uids)
	if err != nil {
		return err
	}
	var b mail.Batch
	var done []*plan.Op
	expunge := uids[:0]
	for _, o := range ops {
		flags, there := now[o.Remote.UID]
		if there && (touched(o.Remote.Flags, flags) || o.Moved && plan.Changes(mb.Space(), flags, o.Remote.Flags)) {
			a.fail(f.Name, o, mail.ErrChanged)
			continue
		}
		if there {
			expunge = append(expunge, o.Remote.UID)
		}
		b.Drop = append(b.Drop, o.Row)
		done = append(done, o)
	}
	if len(expunge) > 0 {
		a.goAhead(mb, f)
		if err := mb.Expunge(ctx, expunge); err != nil {
			return err
		}
	}
	if len(done) == 0 {
		return nil
	}
	return a.record(b, done...)
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
