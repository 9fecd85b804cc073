package plan

import (
	"slices"
	"strconv"

	"imapsync/conflict"
	"imapsync/mail"
)

// marked looks once more at what was decided on a message that a side has marked
// as deleted. What a row says of a message that had to be found again by identity
// is too old to tell who marked it. So is what it says of an edited file that alone is
// marked, beside a message of another place or number: a run may have marked it, to be
// removed with the message that went.
func (d *decider) marked(t *triple, out conflict.Outcome, base, local, remote *conflict.State) conflict.Outcome {
	folder := out.Folder
	if folder == "" {
		folder = place(t)
	}
	if t.rematch || t.local != nil && t.local.Edited && t.renumbered() && hasMark(local.Flags) && !hasMark(remote.Flags) {
		base = nil
	}
	return conflict.Marked(out, base, local, remote, d.policy(folder))
}

// oneSided reports whether what is expunged on one side may stay on the other.
// Where the trash is synchronised a message goes there on both sides; and of a
// folder that is deleted on one side nothing stays on the other.
func (d *decider) oneSided(name mail.FolderName, e conflict.Expunge) bool {
	f := d.byFolder[name]
	switch {
	case e == conflict.ExpungeRemote:
		return !d.in.TrashSynced && (f == nil || !f.Known || f.Remote.Exists || f.Remote.Doubt != "")
	case e == conflict.ExpungeLocal:
		return f == nil || !f.Known || f.Local.Exists || f.Local.Doubt != ""
	}
	return false
}

// trash is where a message deleted in a folder on the server goes, "" when it is
// expunged there.
func (d *decider) trash(folder mail.FolderName) mail.FolderName {
	if folder == d.in.Trash {
		return ""
	}
	return d.in.Trash
}

// deleteRemote plans that the server loses a message, or moves it to the trash: to
// the Maildir it is new there.
func (d *decider) deleteRemote(t *triple, row *mail.Base, out conflict.Outcome) *Op {
	op := &Op{Kind: DeleteRemote, Folder: t.remoteIn.Name, To: d.trash(t.remoteIn.Name), Row: row, Remote: t.remote}
	if op.To != "" {
		out.Reason += "; moved to the trash folder " + strconv.Quote(string(op.To))
		d.kept[op.To] = true
	}
	return d.add(op, out)
}

// goOn has the folders looked into once more when the plan is carried out.
func (d *decider) goOn(folders ...mail.FolderName) {
	for _, name := range folders {
		if !slices.Contains(d.plan.GoOn, name) {
			d.plan.GoOn = append(d.plan.GoOn, name)
		}
	}
}

// followTrash goes on with what is moved to a trash that the Maildir has, too.
func (d *decider) followTrash() {
	for _, o := range d.plan.Ops {
		if o.Kind == DeleteRemote && o.To != "" && d.in.TrashSynced && !o.Held {
			d.goOn(o.To)
		}
	}
}

// copiesToTrash reports whether a message deleted in the folder is copied to the
// trash, which needs a row, for it is journalled.
func (d *decider) copiesToTrash(folder mail.FolderName) bool {
	return d.trash(folder) != "" && !d.in.Features.Move
}

// alone settles a message that one side has and the other is not to get.
func (d *decider) alone(t *triple, out conflict.Outcome) {
	if l := d.aloneLack(t, out); l.any() {
		d.remember(t, l, out.Reason)
		return
	}
	switch out.Action {
	case conflict.DeleteLocal:
		row := t.base
		if row == nil {
			row = newRow(t)
		}
		d.add(&Op{Kind: DeleteLocal, Folder: t.localIn.Name, Row: row, Local: t.local}, out)
	case conflict.DeleteRemote:
		row := t.base
		if row == nil {
			row = &mail.Base{Folder: t.remoteIn.Name, UID: t.remote.UID}
		}
		d.deleteRemote(t, row, out)
	default:
		for _, f := range []*Folder{t.localIn, t.remoteIn} {
			if f != nil {
				d.kept[f.Name] = true
			}
		}
		if t.base != nil {
			d.add(&Op{Kind: Forget, Folder: t.base.Folder, Row: t.base}, out)
		}
	}
}

// aloneLack is what keeps a marked message from being removed that one side has.
func (d *decider) aloneLack(t *triple, out conflict.Outcome) lack {
	switch {
	case out.Rule != conflict.RuleExpunged: // see deletionLack
	case out.Action == conflict.DeleteLocal:
		return d.in.notPulled(t.localIn.Name, conflict.Deletions)
	case out.Action == conflict.DeleteRemote:
		return d.in.notPushed(t.remoteIn.Name, conflict.Deletions)
	}
	return lack{}
}

// inPlace reports whether file and message are where the row says.
func (t *triple) inPlace() bool {
	return t.base != nil && t.local != nil && t.remote != nil && t.base.UID == t.remote.UID && t.base.Key == t.local.Key &&
		t.base.Folder == t.localIn.Name && t.base.Folder == t.remoteIn.Name
}

// expungeable reports whether a marked message that both sides have can be removed
// in this plan. One that is to stay on one side, or to be copied to the trash, must
// be in place first.
func (d *decider) expungeable(t *triple, out conflict.Outcome) bool {
	return t.inPlace() || out.Action == conflict.DeleteBoth && !d.copiesToTrash(t.remoteIn.Name)
}

// expunges removes a marked message that both sides have, and reports whether it
// does: else its mark is mirrored for now as any flag.
func (d *decider) expunges(t *triple, out conflict.Outcome, local, remote *conflict.State) bool {
	l := d.expungeLack(t, out, local, remote)
	switch {
	case l.any():
		d.plan.Remembered = append(d.plan.Remembered, Remembered{Folder: t.remoteIn.Name, UID: t.remote.UID, Key: t.local.Key,
			Pull: l.pull, Kinds: l.kinds, Change: out.Reason})
		d.again(t.localIn.Name, Again{Files: true})
		d.again(out.Folder, Again{Files: true})
		return false
	case out.Action == conflict.DeleteLocal && !hasMark(remote.Flags) && t.remoteIn.Remote.Space.Storable(theMark).IsEmpty():
		return false // the server's would not say that it is not to be copied back
	case !d.expungeable(t, out):
		d.goOn(t.localIn.Name, t.remoteIn.Name)
		return false
	}
	d.expunge(t, out, local, remote)
	return true
}

// expungeLack is what keeps a marked message on a side that it would be removed
// from, or from getting there the flags it is to have first. Then it stays on both:
// what one side lost would be a deletion that the other does not follow.
func (d *decider) expungeLack(t *triple, out conflict.Outcome, local, remote *conflict.State) (l lack) {
	if out.Action != conflict.DeleteLocal {
		l = d.in.notPushed(t.remoteIn.Name, conflict.Deletions)
	}
	if out.Action != conflict.DeleteRemote {
		l = l.or(d.in.notPulled(t.localIn.Name, conflict.Deletions))
	}
	if out.Action == conflict.DeleteBoth && d.followsToTrash(t) && d.byFolder[d.in.Trash] != nil {
		l = l.or(d.intoLocal(d.in.Trash))
	}
	if first := d.keepMark(t, t.base, out, local, remote); first != nil {
		if first.OnLocal {
			l = l.or(d.in.notPulled(t.localIn.Name, conflict.Flags))
		}
		if first.OnRemote {
			l = l.or(d.in.notPushed(t.remoteIn.Name, conflict.Flags))
		}
	}
	return l
}

// followsToTrash reports whether the file of a message is moved to the trash by the
// run going on, when the server has moved the message there.
func (d *decider) followsToTrash(t *triple) bool {
	return d.trash(t.remoteIn.Name) != "" && d.in.TrashSynced && t.base != nil
}

// goes reports whether a message is marked and so may be about to be removed: it is
// no source to copy from. Nil sides are as the row says.
func (in Input) goes(row *mail.Base, local *mail.Local, remote *mail.Remote) bool {
	marked := hasMark(row.Flags) || local != nil && hasMark(local.Flags) || remote != nil && hasMark(remote.Flags)
	return marked && in.policy(row.Folder).Expunge.Any()
}

// expunge removes a marked message that both sides have: from the server first, for
// a file whose message is gone still says that it was marked. Where the trash is
// synchronised the file follows the message there, found by its content.
func (d *decider) expunge(t *triple, out conflict.Outcome, local, remote *conflict.State) {
	row := t.base
	if row == nil {
		row = newRow(t)
		row.UID = t.remote.UID
	}
	first := d.keepMark(t, row, out, local, remote)
	file := *t.local
	if first != nil {
		d.add(first, out)
		out.Conflict = false
		if first.OnLocal {
			file.Flags = out.Flags
		}
	}
	last := first
	if out.Action != conflict.DeleteLocal {
		last = d.deleteRemote(t, row, out)
		last.After, last.Stays = first, out.Action == conflict.DeleteBoth
		out.Conflict = false
	}
	switch {
	case out.Action == conflict.DeleteRemote:
		d.kept[t.localIn.Name] = true
	case out.Action == conflict.DeleteLocal:
		d.kept[t.remoteIn.Name] = true
		fallthrough
	case !d.followsToTrash(t):
		d.add(&Op{Kind: DeleteLocal, Folder: t.localIn.Name, Row: row, Local: &file, After: last}, out)
	default: // wherever it lies
		d.goOn(t.localIn.Name)
	}
}

// keepMark is to see that the side which keeps the message has its flags and the mark
// before the other loses it; and the Maildir has the mark, too, before it is taken
// off what goes to the trash. The row says then that this mark is news, as it has to
// be if the run ends in between. Nil when there is nothing to do.
func (d *decider) keepMark(t *triple, row *mail.Base, out conflict.Outcome, local, remote *conflict.State) *Op {
	if !t.inPlace() {
		return nil
	}
	op := &Op{Kind: SetFlags, Folder: row.Folder, Row: row, Local: t.local, Remote: t.remote, Flags: out.Flags}
	toTrash := d.trash(t.remoteIn.Name) != "" && hasMark(remote.Flags) && !hasMark(local.Flags)
	switch {
	case out.Action == conflict.DeleteLocal:
		op.OnRemote, op.Agreed = Changes(t.remoteIn.Remote.Space, t.remote.Flags, out.Flags), local.Flags
	case out.Action == conflict.DeleteRemote || toTrash:
		op.OnLocal, op.Agreed = Changes(t.localIn.Local.Space, t.local.Flags, out.Flags), remote.Flags.Minus(theMark)
	}
	if !op.OnLocal && !op.OnRemote {
		return nil
	}
	return op
}

var theMark = mail.Flags{System: mail.Deleted}

func hasMark(f mail.Flags) bool { return f.System&mail.Deleted != 0 }

// takesOff reports whether a mark that a side has, and that would count as news of
// it, is to be taken off. The row must have it, then, before anything else of the
// message is recorded.
func takesOff(base mail.Flags, local, remote *conflict.State, out conflict.Outcome) bool {
	return (hasMark(local.Flags) || hasMark(remote.Flags)) && !hasMark(out.Flags) && !hasMark(base)
}
