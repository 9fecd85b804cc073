package plan

import (
	"imapsync/conflict"
	"imapsync/mail"
)

// folders plans what happens to the folders themselves, once it is known which
// of them keep a message.
func (d *decider) folders() {
	held := map[mail.FolderName]bool{}
	for _, o := range d.plan.Ops {
		if o.Held {
			held[o.Folder] = true
		}
	}
	for _, f := range d.in.Folders {
		o, why := d.folder(f)
		if o == nil || d.remembersFolder(f, o, why) {
			continue
		}
		o.Held = held[f.Name] && o.Kind != CreateLocal
		d.add(o, why)
		if o.Held && o.Kind == CreateRemote {
			d.holdFolder(f.Name)
		}
	}
}

// holdFolder holds all that would go into a folder that the server deleted while
// the deletion of its messages is held: in a new folder of the name they could
// no longer be told from mail that never was there.
func (d *decider) holdFolder(name mail.FolderName) {
	for _, o := range d.plan.Ops {
		into := o.Folder
		if o.To != "" {
			into = o.To
		}
		if into == name {
			o.Held = true
		}
	}
}

// remembersFolder leaves a folder as it is where that is not propagated, or where
// messages are that stay on one side. Nothing that was seen of it counts as
// agreed, for it is on one side alone.
func (d *decider) remembersFolder(f *Folder, o *Op, why conflict.Outcome) bool {
	var l lack
	switch o.Kind {
	case CreateLocal:
		if l = d.in.notPulled(f.Name, conflict.Folders); f.Known {
			l = l.or(d.in.notPushed(f.Name, conflict.Folders))
		}
		if f.Name == mail.Inbox && !d.in.notPulled(f.Name, conflict.New).any() {
			return false
		}
	case CreateRemote:
		if l = d.in.notPushed(f.Name, conflict.Folders); f.Known {
			l = l.or(d.in.notPulled(f.Name, conflict.Folders|conflict.Deletions))
		}
	case RemoveLocal:
		l = d.in.notPulled(f.Name, conflict.Folders)
	case RemoveRemote:
		l = d.in.notPushed(f.Name, conflict.Folders)
	}
	stays := d.left[f.Name] && o.Kind != CreateLocal && o.Kind != CreateRemote
	if !l.any() && !stays {
		return false
	}
	if l.any() {
		d.plan.Remembered = append(d.plan.Remembered, Remembered{Folder: f.Name, Pull: l.pull, Kinds: l.kinds, Change: why.Reason})
	}
	d.again(f.Name, Again{All: true})
	return true
}

func (d *decider) folder(f *Folder) (*Op, conflict.Outcome) {
	created := func(where string) conflict.Outcome {
		return conflict.Outcome{Rule: conflict.RuleFolderNew, Reason: "the folder is new " + where}
	}
	needed := conflict.Outcome{Rule: conflict.RuleFolderNew, Reason: "the folder has messages to keep"}
	gone := func(where string) conflict.Outcome {
		return conflict.Outcome{Rule: conflict.RuleFolderGone, Reason: "the folder was deleted " + where}
	}
	stays := d.kept[f.Name] || f.Name == mail.Inbox
	local, remote := f.Local.Exists, f.Remote.Exists
	_, unproven := d.plan.Unproven[f.Name]
	switch {
	case local && remote, unproven && f.Known && !stays: // whether it is gone, or to be, the next run may tell
		return nil, conflict.Outcome{}
	case local && f.Remote.Doubt != "":
		d.plan.Unproven[f.Name] = f.Remote.Doubt
		return nil, conflict.Outcome{}
	case local && !f.Known:
		return &Op{Kind: CreateRemote, Folder: f.Name}, created("in the Maildir")
	case local && stays:
		return &Op{Kind: CreateRemote, Folder: f.Name}, needed
	case local:
		return &Op{Kind: RemoveLocal, Folder: f.Name}, gone("on the server")
	case remote && !f.Known:
		return &Op{Kind: CreateLocal, Folder: f.Name}, created("on the server")
	case remote && stays:
		return &Op{Kind: CreateLocal, Folder: f.Name}, needed
	case remote:
		return &Op{Kind: RemoveRemote, Folder: f.Name}, gone("in the Maildir")
	case f.Known && !stays:
		return &Op{Kind: ForgetFolder, Folder: f.Name}, gone("on both sides")
	}
	return nil, conflict.Outcome{}
}
