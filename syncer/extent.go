package syncer

import (
	"context"
	"errors"
	"slices"
	"time"

	"imapsync/conflict"
	"imapsync/mail"
	"imapsync/plan"
)

// trimEvery is how often limits are applied to messages that nobody touched, for
// time alone takes messages beyond max_age. It costs no round trip.
const trimEvery = 24 * time.Hour

// trimDue reports whether the limits are to be applied to all of a folder: they
// are others than last time, or that was a day ago, or is yet to come by the clock.
func (r *run) trimDue(f *folder) bool {
	f.extent, f.Fetch = r.extentOf(f.Name), wanted(r.opt.Fetch[f.Name])
	if f.record.Extent != f.extent.String() {
		return true
	}
	if f.extent.Unlimited() {
		return f.record.RemoteOnly > 0 || f.record.Stubs > 0 // which come from elsewhere, too, by a move say
	}
	since := r.Now().Sub(f.record.Trimmed)
	return since < 0 || since >= trimEvery
}

func (r *run) extentOf(name mail.FolderName) conflict.Extent {
	if r.Policy == nil {
		return conflict.Extent{}
	}
	return r.Policy(name).Extent
}

// heldRows counts the rows of messages that the Maildir is to have.
func heldRows(rows []*mail.Base) (n int) {
	for _, row := range rows {
		if !row.RemoteOnly {
			n++
		}
	}
	return n
}

// leftBatch is how many messages that stay on the server are recorded at once.
const leftBatch = 5000

// leave records messages that stay on the server. The history does not tell of
// them: in a first run they may be most of the account.
func (a *applier) leave(_ context.Context, f *folder, ops []*plan.Op) error {
	for ops := range slices.Chunk(ops, leftBatch) {
		if err := a.interrupted(); err != nil {
			return err
		}
		var b mail.Batch
		for _, o := range ops {
			o.Row.Flags, o.Row.RemoteOnly, o.Row.Key, o.Row.File = o.Flags, true, "", mail.FileStamp{}
			b.Put = append(b.Put, o.Row)
		}
		if err := a.commit(b); err != nil {
			return err
		}
		for _, o := range ops {
			a.done(o)
		}
	}
	return nil
}

// drop removes files of messages that stay on the server, after the server was
// asked for each of them in a new session. The removal is journalled as that of a
// message which the server lost: a file that is gone looks like one that the user
// deleted. Cut short, the row is forgotten, and the message is a new one, which is
// left on the server as others are.
func (a *applier) drop(ctx context.Context, f *folder, ops []*plan.Op) error {
	ops, err := a.stillThere(ctx, f, ops)
	if err != nil || len(ops) == 0 {
		return err
	}
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
			break
		}
		err := a.remove(ctx, f, o, a.Local.Discard)
		if accountScope(err) {
			return err
		}
		if err == nil {
			done = append(done, o)
			continue
		}
		if errors.Is(err, mail.ErrChanged) {
			b.Staying = append(b.Staying, o.Row)
		}
		a.fail(f.Name, o, err)
	}
	if len(done) > 0 {
		if err := a.Local.Sync(ctx, f.Name); err != nil {
			return err
		}
	}
	return a.recordDropped(b, done)
}

// recordDropped makes the rows those of messages left on the server. What is known
// of their content stays, so that a file that is put back is recognised.
func (a *applier) recordDropped(b mail.Batch, ops []*plan.Op) error {
	for _, o := range ops {
		b.Log = append(b.Log, entry(o))
		o.Row.Key, o.Row.File, o.Row.RemoteOnly = "", mail.FileStamp{}, true
		b.Put, b.Staying = append(b.Put, o.Row), append(b.Staying, o.Row)
	}
	if err := a.commit(b); err != nil {
		return err
	}
	for _, o := range ops {
		a.done(o)
	}
	return nil
}

// stillThere are the operations whose messages the server has at this moment.
func (a *applier) stillThere(ctx context.Context, f *folder, ops []*plan.Op) ([]*plan.Op, error) {
	sought := mail.Sought{Folder: f.Name, UIDValidity: f.validity}
	for _, o := range ops {
		sought.UIDs = append(sought.UIDs, o.Row.UID)
	}
	there := map[mail.UID]bool{}
	var refused error
	err := a.Remote.StillThere(ctx, []mail.Sought{sought}, false, func(_ mail.FolderName, uids []mail.UID, err error) {
		refused = err
		for _, uid := range uids {
			there[uid] = true
		}
	})
	if err := firstOf(err, refused); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(ops), func(o *plan.Op) bool {
		if !there[o.Row.UID] {
			a.fail(f.Name, o, mail.ErrChanged)
		}
		return !there[o.Row.UID]
	}), nil
}
