package simworld

import "errors"

// mark enters that an instance is marked as deleted, which may come to a deletion
// or not: it yields.
func (a *account) mark() {
	a.gone++
	a.marked = true
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
