package syncer

import (
	"context"
	"slices"

	"imapsync/mail"
	"imapsync/plan"
)

func (a *applier) createFolders(ctx context.Context, f *folder, ops []*plan.Op) error {
	for _, o := range ops {
		create := a.Local.CreateFolder
		if o.Kind == plan.CreateRemote {
			create = a.Remote.CreateFolder
		}
		if o.Kind == plan.CreateRemote {
			if err := a.clearGone(ctx, f); err != nil {
				return err
			}
		}
		if err := create(ctx, f.Name); err != nil {
			return err
		}
		if err := a.learnValidity(ctx, f, o); err != nil {
			return err
		}
		if err := a.known(f); err != nil {
			return err
		}
		if err := a.record(mail.Batch{}, o); err != nil {
			return err
		}
	}
	return nil
}

// clearGone deletes what the server deleted together with the folder before the
// folder is made again for what is to be kept: in the new folder all UIDs begin
// anew, and it could no longer be told from mail that never was there.
func (a *applier) clearGone(ctx context.Context, f *folder) error {
	var ops []*plan.Op
	for _, o := range a.plan.Ops {
		if o.Folder == f.Name && o.Kind == plan.DeleteLocal && !o.Held {
			ops = append(ops, o)
		}
	}
	if len(ops) == 0 {
		return nil
	}
	if err := a.deleteLocal(ctx, f, ops); err != nil {
		return err
	}
	for _, o := range ops {
		if a.completed[o] {
			f.Base = slices.DeleteFunc(f.Base, func(row *mail.Base) bool { return row == o.Row })
		}
	}
	return nil
}

// learnValidity selects a mailbox just created, so that the rows put for it in
// this run are recorded under its UIDVALIDITY.
func (a *applier) learnValidity(ctx context.Context, f *folder, o *plan.Op) error {
	if o.Kind != plan.CreateRemote {
		return nil
	}
	mb, err := a.open(ctx, f)
	if err != nil {
		return err
	}
	f.Remote.Mark, f.Remote.Exists, f.Remote.Space = mb.Mark(), true, mail.FullSpace()
	if mb.Mark().Messages > 0 { // somebody was quicker: this run has not seen them
		a.trouble(f.Name)
	}
	mb.Close()
	return nil
}

// removeFolders removes what is empty by now; a folder that got a message
// meanwhile stays, and the next run decides.
func (a *applier) removeFolders(ctx context.Context, f *folder, ops []*plan.Op) error {
	if f.trouble || a.outstanding(f.Name) {
		a.trouble(f.Name)
		return nil
	}
	for _, o := range ops {
		var err error
		switch o.Kind {
		case plan.RemoveLocal:
			err = a.Local.RemoveFolder(ctx, f.Name)
		case plan.RemoveRemote:
			err = a.Remote.DeleteFolder(ctx, f.Name)
		}
		if err != nil {
			return err
		}
		if err := a.record(mail.Batch{DropFolders: []mail.FolderName{f.Name}}, o); err != nil {
			return err
		}
		f.removed = true
	}
	return nil
}

// outstanding reports whether something was not carried out of what concerns a
// folder. The rows of a folder go with it, and without its row a message that is
// still to be moved from there would be new on both sides.
func (a *applier) outstanding(name mail.FolderName) bool {
	return slices.ContainsFunc(a.plan.Ops, func(o *plan.Op) bool {
		return o.Row != nil && !a.completed[o] && slices.Contains(a.concerns[o], name)
	})
}
