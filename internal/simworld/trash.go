package simworld

import (
	"errors"
	"slices"

	"imapsync/mail"
)

// mark enters that an instance is marked as deleted, which may come to a deletion
// or not: it yields.
func (a *account) mark() {
	a.gone++
	a.marked = true
}

func isMarked(m Entry) bool { return m.Flags.System&mail.Deleted != 0 }

// marks enters an edit to what is or was marked.
func (l *ledger) marks(e Edit, before, after []Entry) {
	if !l.expunges || !slices.ContainsFunc(before, isMarked) && !slices.ContainsFunc(after, isMarked) {
		return
	}
	l.account(e.Name).mark()
	if e.Verb == Rewrite {
		l.account(e.Name + "~").mark()
	}
}

// cameBack enters what a folder put back to a backup has that is marked.
func (l *ledger) cameBack(messages []Entry) {
	for _, m := range messages {
		if l.expunges && isMarked(m) {
			l.account(m.Name).mark()
		}
	}
}

// countDeleted counts what may be in the trash. Where a run left folders out, a
// move to such a one is a deletion, too; where one was cut short, a copy it made for
// a move may go there that the Maildir has moved on from.
func (l *ledger) countDeleted(a *account) {
	l.deleted[a.name] += a.gone
	if l.partly || l.cut > 0 {
		l.deleted[a.name] += a.moves
	}
}

// checkDeleted checks a message that was there once and only deleted: it is gone.
// One that the Maildir alone deleted is in the trash, without a mark, if there is one.
// Where limits drop files, and around a run that was cut short while one was about to,
// a deletion may be taken for that.
func (a *account) checkDeleted(now []Entry, l *ledger) error {
	was := a.settled[0].Folder
	trashed := slices.ContainsFunc(now, func(m Entry) bool { return m.Folder == l.trash })
	switch {
	case l.remade[was] || l.drops || l.limits && l.cut > 0:
		return nil
	case len(now) > 0 && (!trashed || was == l.trash):
		return broken("what is deleted stays so", "deleted and not touched else, yet there: %s", EntriesText(now))
	case l.trash == "" || was == l.trash || slices.ContainsFunc(a.events, func(e event) bool { return e.side == Remote || e.edit.Folder == l.trash }):
		return nil
	case !trashed && a.inTrash <= l.trashed[a.name]:
		return broken("the trash holds what is deleted", "deleted in the Maildir, and not in the trash")
	case trashed && isMarked(now[0]):
		return broken("the trash holds what is deleted", "marked as deleted there: %s", EntriesText(now))
	}
	return nil
}

// checkTrash: what was deleted once is in the trash once. Where absences were
// guesses what came back may have been deleted again.
func (l *ledger) checkTrash(w *World) error {
	var errs []error
	l.trashed = w.inTrash()
	for name, n := range l.trashed {
		if n > l.deleted[name] && !l.guessed {
			errs = append(errs, broken("nothing is doubled", "message %s: %d deleted, yet %d in the trash", name, l.deleted[name], n))
		}
	}
	return errors.Join(errs...)
}

// inTrash counts the messages in a trash that is apart.
func (w *World) inTrash() map[string]int {
	count := map[string]int{}
	if b := w.Server.boxes[w.apart]; b != nil {
		for _, m := range b.messages {
			count[NameOf(m.content)]++
		}
	}
	return count
}
