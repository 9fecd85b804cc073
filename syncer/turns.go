package syncer

import (
	"slices"

	"imapsync/mail"
	"imapsync/plan"
)

// upcoming is the mailbox that is opened next, and what is asked there first.
type upcoming struct {
	folder mail.FolderName
	flags  []mail.UID
}

// turns divides the folders of a step among those who work on them. Where a
// mailbox is changed on the server they go round in as many turns as there are
// lanes, for the next one can be selected behind the changes to the one before;
// the others are for whoever is free.
func (a *applier) turns(names []mail.FolderName, lanes map[mail.FolderName][]*plan.Op) [][]mail.FolderName {
	clear(a.ahead)
	var turns, single [][]mail.FolderName
	served := 0
	for _, name := range names {
		if !slices.ContainsFunc(lanes[name], onServer) {
			single = append(single, []mail.FolderName{name})
			continue
		}
		if i := served % a.opt.Lanes; served < a.opt.Lanes {
			turns = append(turns, []mail.FolderName{name})
		} else {
			a.ahead[turns[i][len(turns[i])-1]] = upcoming{name, askedFirst(lanes[name])}
			turns[i] = append(turns[i], name)
		}
		served++
	}
	return append(turns, single...)
}

// stayFor has the last mailbox of each turn asked behind its flags for those of the
// messages that are deleted there next.
func (a *applier) stayFor(turns [][]mail.FolderName) {
	deletions := a.lanes(step{kinds: []plan.Kind{plan.DeleteRemote}}, a.plan)
	for _, turn := range turns {
		last := turn[len(turn)-1]
		if uids := askedFirst(deletions[last]); len(uids) > 0 {
			a.ahead[last] = upcoming{last, uids}
		}
	}
}

// onServer reports whether an operation changes a mailbox that has to be selected
// for it.
func onServer(o *plan.Op) bool {
	return o.Kind == plan.MoveRemote || o.Kind == plan.DeleteRemote || o.Kind == plan.SetFlags && o.OnRemote
}

// askedFirst are the messages whose flags are looked at before they are deleted.
func askedFirst(ops []*plan.Op) (uids []mail.UID) {
	for _, o := range ops {
		if o.Kind == plan.DeleteRemote {
			uids = append(uids, o.Remote.UID)
		}
	}
	return uids
}

// goAhead says in a mailbox what comes after it.
func (a *applier) goAhead(mb Mailbox, f *folder) {
	if next, ok := a.ahead[f.Name]; ok {
		mb.Ahead(next.folder, next.flags)
	}
}
