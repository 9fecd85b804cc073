package syncer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"imapsync/mail"
	"imapsync/plan"
)

// listed are the names that each side lists.
type listed struct{ local, remote map[mail.FolderName]bool }

// followRenames gives folders that were renamed on one side their new name on the
// other, before all else is decided, which then finds them under one name. A dry
// run decides as if that had been done. What is missing in a folder is looked for
// once more under its new name, and so is what may be in one of which it is not
// known whether it was renamed.
//
// Nothing is journalled: a run that is cut short between a rename and its record
// leaves a folder that is new on both sides, and messages that are found in it.
func (r *run) followRenames(ctx context.Context) error {
	found, err := r.findRenames(ctx)
	if err != nil || len(found) == 0 {
		return err
	}
	work, done := workContext(ctx)
	defer done()
	for _, x := range found {
		if ctx.Err() != nil {
			return errInterrupted
		}
		if err := r.followRename(work, x); err != nil {
			return err
		}
	}
	if r.opt.DryRun || len(r.renamed) == 0 {
		return nil
	}
	return r.confirm(ctx)
}

func (r *run) findRenames(ctx context.Context) ([]plan.Rename, error) {
	if r.moved || r.foreign {
		return nil, nil
	}
	in := plan.RenameInput{Folders: r.observed().Folders, Local: r.listed.local, Remote: r.listed.remote, Policy: r.Policy}
	if len(plan.Renames(in)) == 0 {
		return nil, nil
	}
	busy, err := r.outstandingIn(ctx)
	if err != nil {
		return nil, err
	}
	in.Fixed = func(name mail.FolderName) bool { return busy[name] || r.fixed(r.folders[name]) }
	return plan.Renames(in), nil
}

// fixed reports whether a folder is to keep its name for now: because of what was
// found in it, or because the server gave it a purpose (RFC 6154) that would go
// with it.
func (r *run) fixed(f *folder) bool {
	if f.trouble || f.distrust || f.restored || f.validity != f.record.Mark.UIDValidity && f.Known {
		return true
	}
	purposes := []string{`\All`, `\Archive`, `\Drafts`, `\Flagged`, `\Junk`, `\Sent`, `\Trash`, `\Important`}
	return f.Known && f.remote != nil && slices.ContainsFunc(f.remote.Attrs, func(attr string) bool {
		return slices.ContainsFunc(purposes, func(p string) bool { return strings.EqualFold(p, attr) })
	})
}

// outstandingIn are the folders of which an earlier run left something, recorded
// under their names.
func (r *run) outstandingIn(ctx context.Context) (map[mail.FolderName]bool, error) {
	names := map[mail.FolderName]bool{}
	for q := range r.quarantine.entries {
		names[q.folder] = true
	}
	intents, err := r.State.Intents(ctx)
	if err != nil {
		return nil, err
	}
	for _, in := range intents {
		names[in.Folder], names[in.ReplacesIn] = true, true
	}
	rows, err := r.State.Removing(ctx)
	for _, row := range rows {
		names[row.Folder] = true
	}
	return names, err
}

// followRename carries out one rename and records it. A side that refuses it has
// the messages moved.
func (r *run) followRename(ctx context.Context, x plan.Rename) error {
	op := x.Op()
	if !r.opt.DryRun {
		if err := r.openLog(); err != nil {
			return err
		}
		if ok, err := r.carryOut(ctx, x, op); !ok || err != nil {
			return err
		}
		for i, name := range x.Folders {
			x.Folders[i].Server = r.serverNameOf(x.Kind, name)
		}
		if err := r.commit(renameBatch(x, op)); err != nil {
			return err
		}
	}
	for _, name := range x.Folders {
		r.takeName(name, x.Kind)
	}
	r.renamed = append(r.renamed, op)
	if !r.opt.DryRun {
		r.done(op)
	}
	return nil
}

// carryOut renames on a side and reports whether that is done, which the names
// tell then, whatever was answered. Where they tell neither that nor that nothing
// was done, or time may cure what hinders it, the run looks at everything anew.
func (r *run) carryOut(ctx context.Context, x plan.Rename, op *plan.Op) (done bool, err error) {
	rename := r.Remote.RenameFolder
	switch x.Kind {
	case plan.RenameFolder:
		return true, nil
	case plan.RenameLocal:
		rename = r.Local.RenameFolder
	}
	err = rename(ctx, op.Folder, op.To)
	if accountScope(err) || ctx.Err() != nil {
		return false, err
	}
	now, lerr := r.standing(ctx, x)
	last := mail.ClassOf(err) != mail.ClassTemporary || r.putOff[op.Folder] || r.opt.Attempts < 2
	switch {
	case lerr != nil:
		return false, lerr
	case now == renamed:
		return true, nil
	case now == notRenamed && last:
		r.noteUnrenamed(op, err)
		return false, nil
	case err == nil:
		err = errRenameUnclear
	}
	r.putOff[op.Folder] = true
	return false, &mail.Fault{Scope: mail.ScopeAccount, Class: mail.ClassTemporary, Folder: op.Folder, Doing: "rename the folder to " + string(op.To),
		Err: err, Hint: "the next run goes on from what it finds", After: mail.AfterOf(err)}
}

func (r *run) noteUnrenamed(op *plan.Op, err error) {
	if err == nil {
		err = errNotRenamed
	}
	r.note(op.Folder, fmt.Sprintf("it could not be renamed to %s, so its messages are moved there: %v", op.To, err))
}

// standing is how far a rename has come.
type standing int

const (
	unclear standing = iota
	renamed
	notRenamed
)

// standing looks what became of a rename: by its names, and on the server by the
// numbers of its mailboxes, too.
func (r *run) standing(ctx context.Context, x plan.Rename) (standing, error) {
	there := map[mail.FolderName]uint32{} // UIDVALIDITY, 0 where it is not told
	listed := map[mail.FolderName]mail.RemoteFolder{}
	if x.Kind == plan.RenameLocal {
		now, err := r.Local.Folders(ctx)
		if err != nil {
			return unclear, err
		}
		for _, f := range now {
			there[f.Name] = 0
		}
	} else {
		now, err := r.Remote.Folders(ctx)
		if err != nil {
			return unclear, err
		}
		for _, f := range now {
			if f.Selectable {
				there[f.Name], listed[f.Name] = markOrNone(f.Mark).UIDValidity, f
			}
		}
	}
	has := func(name mail.FolderName, validity uint32) bool {
		got, ok := there[name]
		return ok && (got == 0 || got == validity)
	}
	before, after := 0, 0
	for _, name := range x.Folders {
		validity := r.folders[name.From].validity
		_, old := there[name.From]
		_, new := there[name.To]
		if has(name.From, validity) && !new {
			before++
		}
		if has(name.To, validity) && !old {
			after++
		}
	}
	switch len(x.Folders) {
	case before:
		return notRenamed, nil
	case after:
		for _, name := range x.Folders {
			if now, ok := listed[name.To]; ok {
				r.folders[name.From].remote = &now
			}
		}
		return renamed, nil
	}
	return unclear, nil
}

func markOrNone(m *mail.Mark) mail.Mark {
	if m == nil {
		return mail.Mark{}
	}
	return *m
}

var (
	errRenameUnclear = errors.New("it was renamed in part, or changed meanwhile")
	errNotRenamed    = errors.New("no error was reported, yet it has its old name")
)

// renameBatch records a rename, and in the history each of its folders as
// messages that are moved.
func renameBatch(x plan.Rename, op *plan.Op) mail.Batch {
	b := mail.Batch{Renames: x.Folders}
	for _, name := range x.Folders {
		e := mail.Entry{Folder: name.From, Action: mail.ActionLeft, Rule: string(op.Rule), Reason: op.Reason}
		b.Log = append(b.Log, e)
		e.Folder, e.Action = name.To, string(op.Kind)
		b.Log = append(b.Log, e)
	}
	return b
}

// serverNameOf is what the server calls a renamed folder.
func (r *run) serverNameOf(kind plan.Kind, name mail.FolderRename) mail.FolderName {
	f := r.folders[name.To]
	if kind == plan.RenameRemote {
		f = r.folders[name.From]
	}
	if server := f.remote.ServerName(); server != name.To {
		return server
	}
	return ""
}

// takeName makes x, known and maybe seen under its old name, and y, seen under
// the new one, one folder.
func (r *run) takeName(name mail.FolderRename, kind plan.Kind) {
	x, y := r.folders[name.From], r.folders[name.To]
	y.record, y.record.Folder, y.record.Server = x.record, y.Name, name.Server
	y.Known, y.Settled, y.Mark, y.Base = true, x.Settled, x.Mark, x.Base
	y.validity = x.validity
	if kind != plan.RenameFolder {
		y.full = y.full && x.full
	}
	for _, row := range y.Base {
		row.Folder = y.Name
	}
	switch kind {
	case plan.RenameLocal:
		y.Local, y.stamp, y.restamped, y.rewritten = x.Local, x.stamp, x.restamped, x.rewritten
		y.Local.Folder = y.Name
	case plan.RenameRemote:
		y.Remote, y.remote = x.Remote, x.remote
		y.Remote.Folder = y.Name
	}
	if kind != plan.RenameLocal {
		y.knowFiles()
	}
	delete(r.folders, x.Name)
}

// knowFiles has the files that were read as new ones be those of the rows.
func (f *folder) knowFiles() {
	for _, row := range f.Base {
		l, there := f.Local.Messages[row.Key]
		if !there {
			continue
		}
		if l.Stamp != nil && *l.Stamp != row.File {
			row.File = *l.Stamp
			f.restamped = append(f.restamped, row)
		}
		l.Content = nil
		f.Local.Messages[row.Key] = l
	}
}
