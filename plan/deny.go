package plan

import (
	"slices"

	"imapsync/mail"
)

// deny holds what the server does not allow, with all that builds on it. It is
// neither lost nor reverted: each run finds it again, and does it when it may.
func (d *decider) deny() {
	in := map[mail.FolderName]*Folder{}
	for _, f := range d.in.Folders {
		in[f.Name] = f
	}
	unmade := map[*mail.Base]bool{} // rows whose message is not where the plan has it
	for _, o := range d.plan.Ops {
		if o.Held || !denied(o, in) {
			continue
		}
		o.Held, o.Denied = true, true
		if o.Copy() || o.Kind == MoveRemote {
			unmade[o.Row] = true
		}
	}
	for _, o := range d.plan.Ops {
		if !o.Held && (o.After != nil && o.After.Denied || o.Kind == SetFlags && unmade[o.Row]) {
			o.Held, o.Denied = true, true
		}
	}
}

// denied reports whether an operation would change a mailbox in a way that the
// server does not allow.
func denied(o *Op, in map[mail.FolderName]*Folder) bool {
	by := func(name mail.FolderName) mail.Denied {
		if f := in[name]; f != nil {
			return f.Remote.Denied
		}
		return mail.Denied{}
	}
	switch o.Kind {
	case Upload:
		return by(o.Folder).Insert
	case CopyRemote, MoveRemote:
		return by(o.To).Insert
	case DeleteRemote, RemoveRemote:
		return by(o.Folder).Delete
	case CreateRemote:
		above := o.Folder.Parent()
		for above != "" && in[above] == nil {
			above = above.Parent()
		}
		return by(above) == mail.ReadOnly
	}
	return false
}

// Denied lists what is not done because the server does not allow it.
func (p *Plan) Denied() []*Op {
	return slices.DeleteFunc(slices.Clone(p.Ops), func(o *Op) bool { return !o.Denied })
}
