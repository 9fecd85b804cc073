package syncer

import (
	"context"
	"slices"

	"imapsync/mail"
	"imapsync/plan"
)

// confirm looks once more before absence is believed: a message that is missing
// may lie in a folder that could not be looked into, or that was looked at
// before the message was moved there. Such a run decides no deletion on that
// side; the next one sees both ends of the move.
func (r *run) confirm(ctx context.Context) error {
	local, remote := plan.Missing(r.observed())
	if local {
		if err := r.confirmLocal(ctx); err != nil {
			return err
		}
	}
	if remote {
		return r.confirmRemote(ctx)
	}
	return nil
}

func (r *run) confirmLocal(ctx context.Context) error {
	now, err := r.Local.Folders(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(now, r.movedOnLocally)
	if i < 0 {
		return nil
	}
	for _, f := range r.folders {
		if len(missingKeys(f.Base, f.Local)) > 0 {
			f.Local.Doubt = "they may have been moved to " + string(now[i].Name) + ", which has changed meanwhile or could not be looked into"
		}
	}
	return nil
}

// movedOnLocally reports whether a folder may have got a file that this run has
// not seen.
func (r *run) movedOnLocally(now mail.LocalFolder) bool {
	if f := r.folders[now.Name]; f != nil && !f.failed {
		return now.Stamp.Cur != f.stamp.Cur || now.Stamp.New != f.stamp.New
	}
	rec, ours := r.recordOf(now.Name)
	return ours && (!rec.Settled || now.Stamp.Cur != rec.Stamp.Cur || now.Stamp.New != rec.Stamp.New)
}

func (r *run) confirmRemote(ctx context.Context) error {
	now, err := r.Remote.Folders(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(now, r.movedOnRemotely)
	if i < 0 {
		return nil
	}
	for _, f := range r.folders {
		gone := slices.ContainsFunc(f.Base, func(row *mail.Base) bool {
			_, there := f.Remote.Messages[row.UID]
			return row.UID != 0 && !there
		})
		if gone && f.Remote.Doubt == "" {
			f.Remote.Doubt = "they may have been moved to " + string(now[i].Name) + ", which has changed meanwhile or could not be looked into"
		}
	}
	return nil
}

// movedOnRemotely reports whether a mailbox may have got a message that this
// run has not seen: its UIDNEXT has grown since.
func (r *run) movedOnRemotely(now mail.RemoteFolder) bool {
	if !now.Selectable {
		return false
	}
	if f := r.folders[now.Name]; f != nil && !f.failed {
		return now.Mark != nil && f.Remote.Mark.UIDNext != now.Mark.UIDNext
	}
	rec, ours := r.recordOf(now.Name)
	return ours && (!rec.Settled || now.Mark == nil || now.Mark.UIDNext != rec.Mark.UIDNext)
}

// recordOf returns what the state has of a folder that this run did not look
// into. Folders that are not the account's to synchronise are not ours.
func (r *run) recordOf(name mail.FolderName) (rec mail.FolderRecord, ours bool) {
	if f := r.folders[name]; f != nil {
		return f.record, true
	}
	if rec := r.skipped[name]; rec != nil {
		return *rec, true
	}
	return rec, r.opt.Folders == nil && (r.Select == nil || r.Select(name))
}
