package syncer

import (
	"maps"
	"slices"
	"sync"

	"imapsync/conflict"
	"imapsync/mail"
	"imapsync/plan"
)

// policy is what the account propagates, and what of that this run does. It is
// asked for each message, and told once for each folder.
func (o Options) policy(of func(mail.FolderName) conflict.Policy) func(mail.FolderName) conflict.Policy {
	var mu sync.Mutex
	told := map[mail.FolderName]conflict.Policy{}
	return func(name mail.FolderName) conflict.Policy {
		mu.Lock()
		defer mu.Unlock()
		p, known := told[name]
		if !known {
			if of != nil {
				p = of(name)
			}
			p = p.OneWay(o.Pull, o.Push)
			told[name] = p
		}
		return p
	}
}

// setApart leaves folders out of the run that are on one side alone and, because
// folders are not propagated, stay so. Nobody looks into them, as if the account
// did not choose them: there may be many, and large ones. Others are being
// scanned meanwhile.
func (r *run) setApart() {
	for _, name := range slices.Sorted(maps.Keys(r.folders)) {
		f := r.folders[name]
		w := plan.Remembered{Folder: name, Kinds: conflict.Folders}
		switch local, remote := r.listed.local[name], f.remote != nil && f.remote.Selectable; {
		case f.Known || local == remote || name == mail.Inbox:
			continue
		case local && !r.staysLocal(f):
			continue
		case local:
			w.Change = "the folder is new in the Maildir"
		case r.Policy(name).Pulls(conflict.Folders):
			continue
		default:
			w.Pull, w.Change = true, "the folder is new on the server"
		}
		r.mu.Lock()
		delete(r.folders, name)
		r.mu.Unlock()
		r.apart[name] = true
		r.remembered = append(r.remembered, w)
	}
}

// staysLocal reports whether a folder of the Maildir is not made on the server
// if that lacks it.
func (r *run) staysLocal(f *folder) bool {
	return !f.Known && f.Name != mail.Inbox && !r.Policy(f.Name).Pushes(conflict.Folders)
}

// again takes from a folder's watermarks what would hide from the next run a
// change that was seen and left.
func (f *folder) again(rec *mail.FolderRecord, a plan.Again) {
	if a.Files {
		rec.Stamp = mail.DirStamp{}
	}
	if a.From != 0 {
		rec.Mark.UIDNext = min(rec.Mark.UIDNext, a.From)
	}
	if !a.Flags {
		return
	}
	if was := f.record; !a.Old && was.Settled && was.Mark.UIDValidity == rec.Mark.UIDValidity { // what changed or came since then
		rec.Mark.HighestModSeq, rec.Mark.UIDNext = was.Mark.HighestModSeq, min(rec.Mark.UIDNext, was.Mark.UIDNext)
	} else {
		rec.Mark.HighestModSeq = 0 // all of them
	}
}
