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
// move to such a one is a deletion, too.
func (l *ledger) countDeleted(a *account) {
	l.deleted[a.name] += a.gone
	if l.partly {
		l.deleted[a.name] += a.moves
	}
}

// checkTrash: what was deleted once is in the trash once. Where absences were
// guesses what came back may have been deleted again.
func (l *ledger) checkTrash(w *World) error {
	var errs []error
	for name, n := range w.inTrash() {
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
