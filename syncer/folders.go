package syncer

import (
	"context"
	"slices"

	"imapsync/mail"
	"imapsync/plan"
)

// createLocal creates the folders that the Maildir lacks: all of them, then they
// are made durable, then recorded, each together, for either waits for the disk. A
// folder that a crash leaves without a record is found by the next run.
func (a *applier) createLocal(ctx context.Context, p *plan.Plan) error {
	if err := a.interrupted(); err != nil {
		return err
	}
	var ops []*plan.Op
	var names []mail.FolderName
	for _, o := range p.Ops {
		if o.Kind == plan.CreateLocal && !o.Held && !a.folders[o.Folder].failed {
			ops, names = append(ops, o), append(names, o.Folder)
		}
	}
	if len(ops) == 0 {
		return nil
	}
	failed := a.Local.CreateFolders(ctx, names)
	var b mail.Batch
	var done []*plan.Op
	for _, o := range ops {
		f := a.folders[o.Folder]
		if err := failed[o.Folder]; err != nil {
			if err := a.laneEnded(ctx, f, err); err != nil {
				return err
			}
			continue
		}
		f.introduce(&b)
		done = append(done, o)
	}
	return a.record(b, done...)
}

// createRemote creates folders on the server.
func (a *applier) createRemote(ctx context.Context, f *folder, ops []*plan.Op) error {
	for _, o := range ops {
		if err := a.clearGone(ctx, f); err != nil {
			return err
		}
		if err := a.Remote.CreateFolder(ctx, f.Name); err != nil {
			return err
		}
		if name := a.Remote.ServerName(f.Name); name != f.Name {
			f.record.Server = name
		}
		if err := a.learnValidity(ctx, f); err != nil {
			return err
		}
		var b mail.Batch
		f.introduce(&b)
		if err := a.record(b, o); err != nil {
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
		if o.Folder == f.Name && o.Kind == plan.DeleteLocal && !o.Held && o.After == nil { // else the server has it still
			ops = append(ops, o)
		}
	}
	if len(ops) == 0 {
		return nil
	}
	b, done, err := a.removeFiles(ctx, f, ops)
	if err == nil && len(done) > 0 {
		err = a.Local.Sync(ctx, f.Name)
	}
	if err == nil {
		err = a.record(b, done...)
	}
	if err != nil {
		return err
	}
	for _, o := range ops {
		if a.completed[o] {
			of := a.source(o.Row.Folder) // the file was moved here from there
			of.Base = slices.DeleteFunc(of.Base, func(row *mail.Base) bool { return row == o.Row })
		}
	}
	return nil
}

// learnValidity selects a mailbox just created, so that the rows put for it in
// this run are recorded under its UIDVALIDITY.
func (a *applier) learnValidity(ctx context.Context, f *folder) error {
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
