package simworld

import (
	"errors"
	"fmt"
	"sort"

	"imapsync/mail"
)

// ledger keeps account of what people did, by message name, to tell after the
// runs whether anything was lost, doubled, brought back or forgotten.
type ledger struct {
	accounts  map[string]*account
	rewritten bool // in this epoch, a file in place
	unsure    bool // in this epoch, UIDs or the state were lost: no absence is a deletion
}

// account is what happened to the messages of one name.
type account struct {
	made    map[Side]int // instances that people made: new ones and copies
	removed bool         // somebody deleted or rewrote one, ever
	unsure  bool         // moved during a run or after an interrupted one, or touched while unsure: it may rightly be there twice
	settled []Entry      // the instances at the end of the last epoch
	events  []event      // of this epoch
}

type event struct {
	side   Side
	edit   Edit
	result mail.Flags // Change: what that side's message has afterwards
}

func newLedger() *ledger { return &ledger{accounts: map[string]*account{}} }

func (l *ledger) account(name string) *account {
	if l.accounts[name] == nil {
		l.accounts[name] = &account{made: map[Side]int{}}
	}
	return l.accounts[name]
}

// holders lists the instances an edit is about to strike: those of a folder, or
// the one of a name.
func (w *World) holders(e Edit) map[Side][]Entry {
	out := map[Side][]Entry{}
	for _, side := range []Side{Local, Remote} {
		messages, _ := w.holdings(side)
		for _, m := range messages {
			if m.Folder == e.Folder && (e.Name == "" || m.Name == e.Name) {
				out[side] = append(out[side], m)
			}
		}
	}
	return out
}

// note enters an edit that was done, maybe during a run; before is what it
// struck.
func (l *ledger) note(side Side, e Edit, during bool, before map[Side][]Entry) {
	switch e.Verb {
	case Create, Partial, Complete:
		return
	case Lose, Renumber:
		l.unsure = true
		return
	case Remove, Rename:
		for _, m := range before[side] {
			a := l.account(m.Name)
			a.removed = a.removed || e.Verb == Remove
			a.unsure = a.unsure || during
			a.events = append(a.events, event{side: side, edit: e})
		}
		return
	}
	a := l.account(e.Name)
	switch e.Verb {
	case Add, Copy:
		a.made[side]++
	case Delete:
		a.removed = true
	case Move:
		a.unsure = a.unsure || during
	case Rewrite:
		a.removed, l.rewritten = true, true
		edited := l.account(e.Name + "~")
		edited.made[side]++
		edited.events = append(edited.events, event{side: side, edit: e})
	}
	ev := event{side: side, edit: e}
	if e.Verb == Change && len(before[side]) > 0 {
		ev.result = before[side][0].Flags.Minus(e.Minus).Union(e.Flags)
	}
	a.events = append(a.events, ev)
}

// check compares the account with what there is, when all is quiet, and begins
// the next epoch.
func (l *ledger) check(w *World) error {
	now := map[string][]Entry{}
	for _, m := range w.List(Remote) {
		if m.Name != "" {
			now[m.Name] = append(now[m.Name], m)
		}
	}
	var names []string
	for name := range l.accounts {
		names = append(names, name)
	}
	sort.Strings(names)
	var errs []error
	for _, name := range names {
		a := l.accounts[name]
		if err := a.check(now[name], l.unsure); err != nil {
			errs = append(errs, fmt.Errorf("message %s: %w", name, err))
		}
		a.settled, a.events = now[name], nil
		delete(now, name)
	}
	for name := range now {
		errs = append(errs, fmt.Errorf("message %s: nobody made it", name))
	}
	l.rewritten, l.unsure = false, false
	return errors.Join(errs...)
}

func (a *account) check(now []Entry, unsure bool) error {
	least := max(a.made[Local], a.made[Remote])
	a.unsure = a.unsure || unsure && len(a.events) > 0
	switch most := a.made[Local] + a.made[Remote]; {
	case !a.removed && len(now) < least:
		return fmt.Errorf("lost: %d made and none deleted, %d there", least, len(now))
	case !a.unsure && len(now) > most:
		return fmt.Errorf("doubled: %d made, %d there: %s", most, len(now), EntriesText(now))
	case unsure:
		return nil
	case len(a.events) == 0 && EntriesText(now) != EntriesText(a.settled):
		return fmt.Errorf("nobody touched it, yet %s became %s", EntriesText(a.settled), EntriesText(now))
	case len(a.settled) == 1:
		return a.checkOne(now)
	}
	return nil
}

// checkOne checks a message that was there once and settled, if only one side
// did only one kind of thing to it since.
func (a *account) checkOne(now []Entry) error {
	for _, e := range a.events {
		if e.side != a.events[0].side || e.edit.Verb != a.events[0].edit.Verb {
			return nil
		}
	}
	if len(a.events) == 0 {
		return nil
	}
	last := a.events[len(a.events)-1]
	switch last.edit.Verb {
	case Delete:
		if len(now) != 0 {
			return fmt.Errorf("deleted by %s alone, yet there: %s", last.side, EntriesText(now))
		}
	case Change:
		if len(now) != 1 || !now[0].Flags.Equal(last.result) {
			return fmt.Errorf("%s alone made its flags %s, yet they are %s", last.side, last.result, EntriesText(now))
		}
	case Move:
		if len(now) != 1 || now[0].Folder != last.edit.To {
			return fmt.Errorf("%s alone moved it to %s, yet it is at %s", last.side, last.edit.To, EntriesText(now))
		}
	}
	return nil
}
