package plan

import (
	"imapsync/conflict"
	"imapsync/mail"
)

// Remembered is a change that was seen and is not carried out, because its
// direction lacks its kind. Neither the sides nor the record are touched, so
// that it is there still when the kind is propagated.
type Remembered struct {
	Folder mail.FolderName
	UID    mail.UID // 0 where the server has no such message
	Key    mail.Key // "" where the Maildir has no such file
	Pull   bool     // the Maildir does not get it; else the server
	Kinds  conflict.Kinds
	Change string // what it is, in words
}

// Again says what of a folder must be looked at in the next run, too, though
// nothing happens to it, for a change seen there was left.
type Again struct {
	All   bool     // everything: nothing that was seen of it counts as agreed
	Files bool     // the Maildir's side
	Flags bool     // flags of messages known to the base, on the server
	Old   bool     // likewise, also those that did not change since it was looked at last
	From  mail.UID // messages on the server from this UID on; 0 none
}

// lack is what keeps a change from being carried out; no kinds: nothing does.
type lack struct {
	pull  bool
	kinds conflict.Kinds
}

func (l lack) any() bool { return l.kinds != 0 }

// or adds what else is lacking in the same direction, or takes it where nothing
// was.
func (l lack) or(other lack) lack {
	if !l.any() {
		return other
	}
	if l.pull == other.pull {
		l.kinds |= other.kinds
	}
	return l
}

func (in Input) policy(folder mail.FolderName) conflict.Policy {
	if in.Policy == nil {
		return conflict.Policy{}
	}
	return in.Policy(folder)
}

// notPulled is what of these kinds the Maildir does not get in a folder.
func (in Input) notPulled(folder mail.FolderName, kinds conflict.Kinds) lack {
	return lack{true, in.policy(folder).NotPulled & kinds}
}

// notPushed is what of them the server does not get.
func (in Input) notPushed(folder mail.FolderName, kinds conflict.Kinds) lack {
	return lack{false, in.policy(folder).NotPushed & kinds}
}

// intoLocal is what keeps new messages out of a folder of the Maildir. One that
// is gone from there is made again only where its removal could have been
// followed, and the folder be made: else its messages would seem to be deleted
// one by one. INBOX is no folder that anybody makes.
func (d *decider) intoLocal(name mail.FolderName) lack {
	l, f := d.in.notPulled(name, conflict.New), d.byFolder[name]
	if f.Local.Exists || name == mail.Inbox {
		return l
	}
	if l = l.or(d.in.notPulled(name, conflict.Folders)); f.Known {
		l = l.or(d.in.notPushed(name, conflict.Folders))
	}
	return l
}

// intoRemote is what keeps new messages out of a mailbox. In one that was made
// again all UIDs begin anew, so that what was deleted with the old one must be
// gone from the Maildir by then.
func (d *decider) intoRemote(name mail.FolderName) lack {
	l, f := d.in.notPushed(name, conflict.New), d.byFolder[name]
	if f.Remote.Exists {
		return l
	}
	if l = l.or(d.in.notPushed(name, conflict.Folders)); f.Known {
		l = l.or(d.in.notPulled(name, conflict.Folders|conflict.Deletions))
	}
	return l
}

// deletionLack is what keeps the deletion of a message from being followed that
// one side has lost: where its folder is gone, what keeps that from being followed,
// too. INBOX alone is no folder that goes.
func deletionLack(t *triple, in Input, f *Folder) lack {
	name, kinds := t.base.Folder, conflict.Deletions
	switch {
	case t.base.Key == "" || t.rematch || (t.local == nil) == (t.remote == nil):
		return lack{}
	case t.remote == nil:
		if !f.Remote.Exists && name != mail.Inbox {
			kinds |= conflict.Folders
		}
		return in.notPulled(name, kinds)
	}
	if !f.Local.Exists && name != mail.Inbox {
		kinds |= conflict.Folders
	}
	return in.notPushed(name, kinds)
}

// remembersDeletion leaves a message alone that one side has lost, where that is not
// propagated: nothing is to yield to it either, as long as it is not followed.
func (d *decider) remembersDeletion(t *triple) bool {
	l := deletionLack(t, d.in, d.byFolder[t.base.Folder])
	if !l.any() {
		return false
	}
	change := "deleted in the Maildir"
	if l.pull {
		change = "deleted on the server"
	}
	d.remember(t, l, change)
	return true
}

// remember leaves a message as it is, on both sides and in the record.
func (d *decider) remember(t *triple, l lack, change string) {
	w := Remembered{Pull: l.pull, Kinds: l.kinds, Change: change}
	for _, f := range []*Folder{t.remoteIn, t.localIn} {
		if f != nil {
			w.Folder = f.Name
			d.left[f.Name] = true
		}
	}
	if t.base != nil {
		w.Folder = t.base.Folder
		d.left[w.Folder] = true
	}
	if t.local != nil {
		w.Key = t.local.Key
	}
	if t.remote != nil {
		w.UID = t.remote.UID
	}
	d.plan.Remembered = append(d.plan.Remembered, w)
	d.seeAgain(t)
}

// seeAgain has the next run see what differs from the base. A message that the
// server lost it sees anyway, for the counts show it.
func (d *decider) seeAgain(t *triple) {
	base, local, remote := d.states(t)
	if t.rematch {
		d.again(t.base.Folder, Again{All: true})
	}
	if base != nil && local == nil {
		d.again(base.Folder, Again{Files: true})
	}
	if local != nil && (base == nil || local.Edited || local.Folder != base.Folder || t.local.Key != t.base.Key || !local.Flags.Equal(base.Flags)) {
		d.again(local.Folder, Again{Files: true})
		if base != nil {
			d.again(base.Folder, Again{Files: true})
		}
	}
	switch {
	case remote == nil:
	case t.base != nil && t.base.RemoteOnly && remote.Folder == t.base.Folder && t.remote.UID == t.base.UID && !remote.Flags.Equal(t.base.Flags):
		d.again(remote.Folder, Again{Flags: true})
	case base == nil || remote.Folder != base.Folder || t.remote.UID != t.base.UID:
		d.again(remote.Folder, Again{From: t.remote.UID})
	case !remote.Flags.Equal(base.Flags):
		d.again(remote.Folder, Again{Flags: true})
	}
}

func (d *decider) again(name mail.FolderName, a Again) {
	was := d.plan.Again[name]
	a.All, a.Files, a.Flags, a.Old = a.All || was.All, a.Files || was.Files, a.Flags || was.Flags, a.Old || was.Old
	if a.From == 0 || was.From != 0 && was.From < a.From {
		a.From = was.From
	}
	d.plan.Again[name] = a
}

// remembersMove settles a message that lies in two folders and may not be moved.
// A move is a new message in the one folder and a deletion in the other: where
// only that is not propagated, it becomes a copy, and the original is deleted on
// one side alone. Where the new message is not, nothing is: what lies elsewhere
// was not deleted.
func (d *decider) remembersMove(t *triple, out conflict.Outcome) bool {
	pull := t.localIn.Name != out.Folder
	into, away := d.intoRemote(out.Folder), d.in.notPushed(t.remoteIn.Name, conflict.Deletions)
	if pull {
		into, away = d.intoLocal(out.Folder), d.in.notPulled(t.localIn.Name, conflict.Deletions)
		d.moves[move{out.Folder, t.local.Key}] = contentOf(t).Digest
	}
	if !into.any() && !away.any() {
		return false
	}
	half := *t
	switch apart := t.rematch || t.base == nil || out.Rule == conflict.RuleMovedBoth; {
	case apart || into.any():
		d.remember(t, into.or(away), out.Reason)
		return true
	case pull:
		d.newRemote(&triple{remote: t.remote, remoteIn: t.remoteIn})
		half.remote, half.remoteIn = nil, nil
	default:
		d.leaveOriginal(t, out)
		half.local, half.localIn = nil, nil
	}
	d.remember(&half, away, out.Reason)
	return true
}

// leaveOriginal has the server copy a message to where its file was moved, as a
// message of its own, and leaves the original in its row.
func (d *decider) leaveOriginal(t *triple, out conflict.Outcome) {
	d.kept[out.Folder] = true
	_, local, remote := d.states(t)
	row, original := newRow(t), t.dated()
	row.Content, row.Flags, row.RemoteSize, row.Date = t.base.Content, t.base.Flags, original.Size, t.base.Date
	if takesOff(row.Flags, local, remote, out) {
		row.Flags = row.Flags.Union(theMark)
	}
	first := d.add(&Op{Kind: CopyRemote, Folder: t.remoteIn.Name, To: out.Folder, Row: row, Local: t.local, Remote: original, Flags: t.remote.Flags}, out)
	d.flags(t, row, out, local, remote)
	if !t.base.Flags.Equal(remote.Flags) { // they went along, so that the deletion is not to yield to them
		d.add(&Op{Kind: SetFlags, Folder: t.base.Folder, Row: t.base, Remote: t.remote, Flags: remote.Flags, Agreed: remote.Flags, After: first}, out)
	}
}

// flags brings the flags of a message together as far as they are propagated.
func (d *decider) flags(t *triple, row *mail.Base, out conflict.Outcome, local, remote *conflict.State) {
	was := row.Flags
	if takesOff(was, local, remote, out) {
		was = was.Union(theMark)
	}
	p := d.policy(out.Folder)
	pull, push := p.Pulls(conflict.Flags), p.Pushes(conflict.Flags)
	if space := t.remoteIn.Remote.Space; !push && !(t.added.IsEmpty() && t.removed.IsEmpty()) && Changes(space, t.remote.Flags, remote.Flags) {
		// The copy gets what was done to its original, as if that had been moved;
		// what this means for the file the next run sees.
		d.add(&Op{Kind: SetFlags, Folder: out.Folder, Row: row, Local: t.local, Remote: t.remote, Flags: remote.Flags, Agreed: was, OnRemote: true}, out)
		return
	}
	toLocal := pull && Changes(t.localIn.Local.Space, t.local.Flags, out.Flags)
	toRemote := push && Changes(t.remoteIn.Remote.Space, t.remote.Flags, out.Flags)
	told := push && !t.remoteIn.Remote.Space.ReadOnly // where the server cannot be told, the base has what it has
	agreed := conflict.AgreedFlags(was, local.Flags, remote.Flags, pull, told)
	if toLocal || toRemote || !row.Flags.Equal(agreed) {
		d.add(&Op{Kind: SetFlags, Folder: out.Folder, Row: row, Local: t.local, Remote: t.remote,
			Flags: out.Flags, Agreed: agreed, OnLocal: toLocal, OnRemote: toRemote}, out)
	}
	left := Remembered{Folder: out.Folder, UID: t.remote.UID, Key: t.local.Key, Kinds: conflict.Flags}
	if !pull && !out.Flags.Equal(local.Flags) {
		left.Pull, left.Change = true, "flags changed on the server"
		d.plan.Remembered = append(d.plan.Remembered, left)
		// Of a message that a limit left there the flags are no news to the server.
		seen := Again{Flags: true, Old: t.base != nil && t.base.RemoteOnly}
		d.again(out.Folder, seen)
		d.again(t.remoteIn.Name, seen)
	}
	if !push && !out.Flags.Equal(remote.Flags) {
		left.Pull, left.Change = false, "flags changed in the Maildir"
		d.plan.Remembered = append(d.plan.Remembered, left)
		d.again(out.Folder, Again{Files: true})
		d.again(t.localIn.Name, Again{Files: true})
	}
}
