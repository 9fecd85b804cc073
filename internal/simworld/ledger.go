package simworld

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"imapsync/mail"
)

// ledger keeps account of what people did since all was quiet, by message name,
// to tell when it is quiet again whether anything was lost, doubled, brought
// back or forgotten. What was legitimately open it does not tell: see account.
type ledger struct {
	accounts   map[string]*account
	unsure     bool                     // UIDs or the state were lost: no absence is a deletion
	stale      bool                     // the state was put back to a backup
	missed     bool                     // a full comparison may find more: something was written in place or hidden
	lied       bool                     // the server ever hid messages
	cut        int                      // runs that did not end well
	rewrote    map[string]bool          // names of the contents that files ever had in place of each other
	deleted    map[string]int           // instances ever deleted
	noKeywords bool                     // the server stores none
	noMove     bool                     // it has no MOVE
	guessed    bool                     // an absence was ever taken for a deletion that may be none
	expunges   bool                     // what is marked as deleted is removed
	stubs      func(name string) int    // how many the Maildir has of a message
	limits     bool                     // what the Maildir is to hold was changed
	drops      bool                     // files may leave it because of that
	trash      mail.FolderName          // where deletions on the server go, "" for nowhere
	trashed    map[string]int           // instances in a trash that is apart when all was quiet last
	remade     map[mail.FolderName]bool // mailboxes deleted and made anew: no absence in them is a deletion
	renames    []Edit                   // folders renamed since all was quiet
	partly     bool                     // a run did not propagate all
	unlisted   bool                     // the server did not list a folder, maybe one that messages were moved to
}

// account is what happened to the messages of one name.
type account struct {
	name    string
	settled []Entry      // the instances when all was quiet last
	made    map[Side]int // instances that people made since: new ones and copies
	gone    int          // instances that somebody deleted or rewrote, on either side
	marked  bool         // some of them were marked, which may come to a deletion or not
	moves   int          // instances that somebody moved
	lost    int          // instances that the server lost when it was put back to a backup, or that met another
	// astray are instances that may rightly be there once more: moved during a
	// run or after one that was cut short, so that a copy on its way could not
	// be found again.
	astray int
	// taken of them were moved on the server while a run that had seen them did what
	// it had decided: all that was done to them goes along.
	taken int
	// hidden are instances that the server did not show for a run. Left alone
	// they come back as they were; what was done to them meanwhile may have made
	// another of them.
	hidden  int
	partial int // likewise, but it said so
	hollow  int // stubs whose message the server lost, or that were copied and may stand for nothing by then
	inTrash int // instances that are in a trash apart
	events  []event
}

type event struct {
	side   Side
	edit   Edit
	before mail.Flags // Change: what that side's message had
	result mail.Flags // Change: what it has afterwards
	late   bool       // Change: between the last look at a message and its deletion
}

func newLedger() *ledger {
	return &ledger{accounts: map[string]*account{}, rewrote: map[string]bool{}, deleted: map[string]int{}, remade: map[mail.FolderName]bool{}}
}

func (l *ledger) account(name string) *account {
	if l.accounts[name] == nil {
		l.accounts[name] = &account{name: name, made: map[Side]int{}}
	}
	return l.accounts[name]
}

// holders lists the instances an edit is about to strike, or has struck: those
// of a folder, or the one of a name.
func (w *World) holders(e Edit) map[Side][]Entry {
	out := map[Side][]Entry{}
	for _, side := range []Side{Local, Remote} {
		messages, _ := w.holdings(side)
		for _, m := range messages {
			in := m.Folder == e.Folder || e.Verb == Rename && m.Folder.Within(e.Folder)
			if in && (e.Name == "" || m.Name == e.Name) {
				out[side] = append(out[side], m)
			}
		}
	}
	return out
}

// note enters an edit that was done; loose says that it was during a run, or
// after one that was cut short. before and after are what it struck.
func (l *ledger) note(side Side, e Edit, loose bool, before, after map[Side][]Entry) {
	switch e.Verb {
	case Hide:
		l.unlisted = true
		return
	case Limit:
		l.limits = true
		l.drops = l.drops || strings.Contains(e.Name, "newest") || strings.Contains(e.Name, "age")
		return
	case Create, Lock, Unmount, Backup, Note:
		return
	case Partial, Empty, Fewer, Vanish:
		l.hid(e.Verb, before[Remote])
		return
	case Restore:
		if side == Remote {
			l.restored(before[Remote], after[Remote])
			l.cameBack(after[Remote])
		} else {
			l.staleState()
		}
		l.unsure = true
		return
	case Lose, Renumber:
		l.unsure = true
		return
	case Remove, Rename:
		if e.Verb == Rename {
			l.renames = append(l.renames, e)
		}
		for _, m := range struck(side, e, before) {
			l.account(m.Name).note(event{side: side, edit: e}, loose)
		}
		return
	}
	ev := event{side: side, edit: e}
	if e.Verb == Change && len(before[side]) > 0 {
		ev.before = before[side][0].Flags
		ev.result = after[side][0].Flags
	}
	l.account(e.Name).note(ev, loose)
	l.marks(e, before[side], after[side])
	if e.Verb == Rewrite {
		l.missed, l.rewrote[e.Name], l.rewrote[e.Name+"~"] = true, true, true
		edited := l.account(e.Name + "~")
		edited.made[side]++
		edited.events = append(edited.events, ev)
	}
}

// struck lists what the end or the renaming of a folder on a side concerns: what
// the other side alone has there moves along with what it is called.
func struck(side Side, e Edit, before map[Side][]Entry) []Entry {
	list := before[side]
	if e.Verb != Rename {
		return list
	}
	for _, m := range append(before[Local], before[Remote]...) {
		if !slices.ContainsFunc(list, func(o Entry) bool { return o.Name == m.Name }) {
			list = append(list[:len(list):len(list)], m)
		}
	}
	return list
}

func (a *account) note(ev event, loose bool) {
	switch ev.edit.Verb {
	case Add, Copy:
		a.made[ev.side]++
	case Delete, Rewrite, Remove:
		a.gone++
	case Move, Rename:
		a.moves++
		if loose {
			a.astray++
		}
	}
	a.events = append(a.events, ev)
}

// taken enters that the last edit was a move in front of a run that had decided.
func (l *ledger) taken(e Edit) { l.account(e.Name).taken++ }

// hid enters that the server does not show all messages. Where it says so, that
// is no excuse, but for a state that knew of them and was put back.
func (l *ledger) hid(how Verb, messages []Entry) {
	for i, m := range messages {
		switch a := l.account(m.Name); {
		case how == Partial && i%2 == 1:
			a.partial++
		case how == Empty || how != Partial && i%2 == 1:
			a.hidden++
			l.missed, l.lied = true, true
		}
	}
}

// tooLate enters that the last edit was made to a message that a run may be about
// to delete, after it had asked for its flags the last time.
func (l *ledger) tooLate(e Edit) {
	if events := l.account(e.Name).events; e.Verb == Change {
		events[len(events)-1].late = true
	}
}

// outOfSight enters that the server does not list a mailbox that the state never
// knew. What was moved there cannot be looked for: it seems to be deleted, and is
// sent again if it is still wanted in the Maildir, or is met there by an equal one.
// A state put back to before that takes the removal of its file for the user's.
func (l *ledger) outOfSight(messages []Entry) {
	for _, m := range messages {
		if a := l.account(m.Name); a.moves > 0 {
			l.lied = true
			a.astray++
		}
	}
}

// met enters that another client made a message where a copy of the same content
// by a run that was cut short is looked for: nothing tells it from that. Likewise a
// file made where a limit left a message of its content on the server.
func (l *ledger) met(name string) { l.account(name).lost++ }

// ended enters that a run ended, and how.
func (l *ledger) ended(cut bool) {
	if cut {
		l.cut++
	}
}

// check compares the account with what there is, when all is quiet, and begins
// anew. The Maildir is asked, for it holds keywords that no server may store.
func (l *ledger) check(w *World) error {
	now := map[string][]Entry{}
	for _, m := range w.List(Local) {
		if m.Name != "" {
			m.New = false // a reader may have shown it
			now[m.Name] = append(now[m.Name], m)
		}
	}
	inTrash := w.inTrash()
	var names []string
	for name := range l.accounts {
		names = append(names, name)
	}
	sort.Strings(names)
	var errs []error
	for _, name := range names {
		a := l.accounts[name]
		a.inTrash = inTrash[name]
		if err := a.check(now[name], l); err != nil {
			errs = append(errs, fmt.Errorf("message %s: %w", name, err))
		}
		l.countDeleted(a)
		l.accounts[name] = &account{name: name, made: map[Side]int{}, settled: now[name]}
		delete(now, name)
	}
	l.guessed = l.guessed || l.unsure || l.stale || l.lied
	errs = append(errs, l.checkTrash(w))
	for name := range now {
		errs = append(errs, broken("nothing comes from nowhere", "message %s: nobody made it", name))
	}
	l.missed, l.unsure, l.stale, l.unlisted, l.partly, l.limits, l.drops, l.cut, l.renames = false, false, false, false, false, false, false, 0, nil
	clear(l.remade)
	return errors.Join(errs...)
}

func (a *account) check(now []Entry, l *ledger) error {
	if l.stale {
		a.hidden += a.partial
	}
	if l.partly { // what was moved may have been copied or only deleted at first, and have met another since
		a.astray += a.moves
	}
	made := a.made[Local] + a.made[Remote]
	most := len(a.settled) + made + a.astray
	if l.unsure || l.trash != "" && l.cut > 0 { // see countDeleted
		most += a.moves
	}
	if l.stale { // what was moved or sent since the backup may be sent once more
		most += l.cut + len(a.settled)
	}
	if l.unsure && l.cut > 0 && l.noMove && l.trash != "" { // copied there, and the original under a UID that means nothing any more
		most += a.gone
	}
	if l.unsure && l.cut > 0 && l.rewrote[a.name] { // sent under UIDs that mean nothing any more
		most++
	}
	touched := len(a.events) > 0 || l.unsure && a.hidden+a.astray > 0 ||
		l.stale && len(a.settled) > 0 && len(now) != len(a.settled) || l.stale && len(a.settled) > 1 // of equal messages it may take one for another
	if touched {
		most += a.hidden
	}
	switch least := a.least(l); {
	case len(now) < least-a.hollow:
		return broken("nothing is lost", "%d at first, %d made, %d deleted, yet %d there", len(a.settled), made, a.gone, len(now))
	case len(now) > most:
		return broken("nothing is doubled", "%d may be there, %d are: %s", most, len(now), EntriesText(now))
	case !touched:
		return a.checkUntouched(now, l)
	case l.expunges && slices.ContainsFunc(now, isMarked):
		return broken("what is marked is removed", "%s", EntriesText(now))
	case len(a.events) > 0 && !a.marked && len(a.settled) == 1 && !l.unsure && (most == 1 || most-a.taken == 1 && !l.stale):
		return a.checkOne(now, l)
	}
	return nil
}

// least is how many instances there must be. What was made on both sides may be
// the same, and what went astray, or was lost or hidden by the server, may have met
// another that was made where it went; but while nobody deleted one, one is there.
// To a state put back to a backup what was deleted since, or hidden, is deleted
// once more, and takes one of the same content with it; what went astray may have
// met another there, too.
func (a *account) least(l *ledger) int {
	made := max(a.made[Local], a.made[Remote])
	least := len(a.settled) + made - a.gone
	switch {
	case l.stale && l.lied: // by a deletion that was never one
		return 0
	case l.stale:
		return least - min(l.deleted[a.name]+a.gone+a.lost+a.astray, made) - a.hidden
	case a.gone > 0 && l.cut > 0: // a deletion followed and not recorded takes one of the same content, too
		return least - min(a.lost+a.gone+a.hidden, made)
	case a.gone > 0 || len(a.settled) == 0:
		return least - min(a.lost+a.astray+a.hidden, made)
	}
	return max(least-a.astray-a.lost-a.hidden, 1)
}

// checkUntouched: what nobody touched is as it was. A message that the server
// hid for a run may have come anew from there, where it has no keywords; and where
// it hid one of equal messages after the other, it told of a move, which a run
// that was cut short has made in the Maildir.
func (a *account) checkUntouched(now []Entry, l *ledger) error {
	was := a.settled
	if a.hidden > 1 && l.cut > 0 {
		return nil
	}
	if a.hidden > 0 && l.noKeywords {
		was, now = withoutKeywords(was), withoutKeywords(now)
	}
	if !SameEntries(Tidy(was), Tidy(now)) {
		return broken("what nobody touches stays", "%s became %s", EntriesText(a.settled), EntriesText(now))
	}
	return nil
}

func withoutKeywords(list []Entry) []Entry {
	list = append([]Entry(nil), list...)
	for i := range list {
		list[i].Flags = mail.Flags{System: list[i].Flags.System}
	}
	return list
}

// checkOne checks a message that was there once and of which nobody made
// another: one that was only deleted is gone, if its mailbox is still the one it
// was in; one that was not is where one side moved it, with the flags that the
// changes of both come to.
func (a *account) checkOne(now []Entry, l *ledger) error {
	verbs := map[Verb]bool{}
	for _, e := range a.events {
		verbs[e.edit.Verb] = true
	}
	deleted := verbs[Delete]
	delete(verbs, Delete)
	switch {
	case deleted && len(verbs) == 0:
		return a.checkDeleted(now, l)
	case deleted || len(now) != 1:
		return nil
	}
	delete(verbs, Change)
	delete(verbs, Move)
	delete(verbs, Show)
	if len(verbs) > 0 {
		return nil
	}
	if to := a.place(l); to != "" && !l.mayBeIn(now[0].Folder, to) {
		return broken("moves are followed", "it belongs into %s, yet it is at %s", to, EntriesText(now))
	}
	return a.checkFlags(now[0].Flags, l)
}

// mayBeIn tells whether a message that belongs into a folder may be in another:
// under the name that the folder got, on whichever side that was.
func (l *ledger) mayBeIn(folder, place mail.FolderName) bool {
	places := []mail.FolderName{place}
	for _, e := range l.renames {
		for _, p := range places {
			if p == e.Folder || p.Within(e.Folder) {
				places = append(places, e.To+p[len(e.Folder):])
			}
		}
	}
	return slices.Contains(places, folder)
}

// place is where moves by one side alone lead, or by both to one folder; "" if
// it is open. Of two moves around a run that was cut short the first may have been
// followed, and then the other side made it.
func (a *account) place(l *ledger) mail.FolderName {
	if a.moves > 1 && l.cut > 0 {
		return ""
	}
	to := a.settled[0].Folder
	var mover Side
	for _, e := range a.events {
		if e.edit.Verb != Move {
			continue
		}
		if mover != "" && e.side != mover && e.edit.To != to {
			return ""
		}
		if mover != "" && e.side != mover {
			mover = "both"
			continue
		}
		mover, to = e.side, e.edit.To
	}
	return to
}

// checkFlags: a flag that one side alone changed is as it left it, one that
// both set or both took away is so, and one nobody changed is as it was. A change
// that both made and one took back is open: a run sees what is left of it. So is
// one that a run followed before it was cut short and that was taken back before
// the next: the other side seems to have made it. So is one to the original of a
// copy right before it was deleted, for no EXPUNGE depends on flags; and so are
// keywords of what may have been moved to a folder out of sight on a server that
// stores none, and the mark of an original that is to be expunged anyway; and
// changes in the Maildir to what the server moved while a run with a trash, which
// may go on with that folder alone, looked at one folder after the other.
func (a *account) checkFlags(now mail.Flags, l *ledger) error {
	for _, f := range flagsIn(a, now) {
		want, open := has(a.settled[0].Flags, f), l.unlisted && l.noKeywords && f.System == 0 || l.noMove && a.moves > 0 && f.System == mail.Deleted
		var who Side
		for _, e := range a.events {
			after := has(e.result, f)
			if e.edit.Verb != Change || has(e.before, f) == after {
				continue
			}
			open = open || e.late || l.trash != "" && a.astray > 0 && e.side == Local || who != "" && (l.cut > 0 || who != e.side) && after != want
			if who != "" && who != e.side {
				who, want = "both", after
				continue
			}
			who, want = e.side, after
		}
		if !open && has(now, f) != want {
			return broken("flags are merged", "%s should be %v: was %s, is %s", flagWord(f), want, flagWord(a.settled[0].Flags), flagWord(now))
		}
	}
	return nil
}

func has(flags, one mail.Flags) bool { return !flags.Intersect(one).IsEmpty() }

// flagsIn lists, one by one, the flags an account is about.
func flagsIn(a *account, now mail.Flags) (list []mail.Flags) {
	all := now.Union(a.settled[0].Flags)
	for _, e := range a.events {
		all = all.Union(e.before).Union(e.result)
	}
	for f := mail.System(1); f <= mail.AllSystem; f <<= 1 {
		if all.System&f != 0 {
			list = append(list, mail.Flags{System: f})
		}
	}
	for _, k := range all.Keywords() {
		list = append(list, mail.NewFlags(0, k))
	}
	return list
}
