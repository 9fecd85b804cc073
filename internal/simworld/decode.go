package simworld

import (
	"fmt"
	"slices"
	"time"

	"imapsync/conflict"
	"imapsync/mail"
)

// decoder makes up a history from bytes while it is played, for what can be done
// depends on what there is: every byte string is a history, and the same bytes
// are always the same one.
type decoder struct {
	*History
	in      []byte
	names   int
	partly  bool              // runs may not propagate all
	stubs   string            // limits that make stubs, from each beginning on
	folders []mail.FolderName // that there can be
}

// maxEpochs bounds a history however many bytes it has.
const maxEpochs = 4

// PlayBytes plays the history that the bytes tell: epochs of edits and troubled
// runs, each followed by runs without trouble until all is quiet, and then the
// checks. It works in a testing/synctest bubble only.
func PlayBytes(engine Engine, data []byte) *History {
	d := &decoder{in: data}
	s := Story{Seed: uint64(d.next())<<8 | uint64(d.next())}
	f, g := d.next(), d.next()
	s.Lacks = Lacks{Move: f&1 != 0, UIDPlus: f&2 != 0, ModSeq: f&4 != 0, Marks: f&8 != 0, Keywords: f&0x70 == 0x70}
	s.Options = d.options(f, g)
	d.History = newHistory(engine, s)
	defer d.w.Schedule()()
	for epoch := 0; epoch < maxEpochs && (epoch == 0 || len(d.in) > 0) && d.err == nil; epoch++ {
		if d.stubs != "" && d.w.Extent.Unlimited() {
			d.edit(State, Edit{Verb: Limit, Name: d.stubs})
		}
		for range 1 + d.below(3) {
			d.backups()
			for range d.below(6) {
				d.someEdit()
			}
			d.someRun()
		}
		d.quiet()
	}
	d.end()
	return d.History
}

// options are those of every run, and what the history is about besides.
func (d *decoder) options(f, g byte) (o Options) {
	d.folders = folderPool[:4]
	if g&4 != 0 { // fewer messages in each, and names for folders to be renamed to
		d.folders = folderPool
	}
	if d.partly = f&0x80 != 0; d.partly {
		o.Expunge = conflict.ExpungeBoth
	}
	switch synced := g&0x20 != 0; {
	case f&0x40 != 0 && synced:
		o.Trash = trashName
		d.folders = append(slices.Clone(d.folders), trashName)
	case f&0x40 != 0 && d.partly:
		o.Trash, o.TrashApart = trashName, true
	}
	if g&3 == 3 {
		o.Lanes = 2 + int(g>>2)%2
	}
	if g&0x18 == 0x18 {
		o.Attempts = 3
	}
	if g&0x1a == 0x08 {
		d.stubs = stubPool[int(g>>5)%len(stubPool)]
	}
	o.DeletionWins = g&0xe0 == 0xe0
	return o
}

// next takes a byte; past the end all are 0.
func (d *decoder) next() byte {
	if len(d.in) == 0 {
		return 0
	}
	b := d.in[0]
	d.in = d.in[1:]
	return b
}

func (d *decoder) below(n int) int { return int(d.next()) % n }

// limitPool has limits: all messages are of one date, a day before it all begins.
var limitPool = []string{"newest 1", "newest 2", "newest 3", "age 1h", "age 25h", "none"}

// stubPool has those that make stubs.
var stubPool = []string{"headers", "headers flagged", "text", "size 70000 flagged", "newest 1 headers", "age 1h headers flagged"}

// backups makes a backup, puts something back to one, or changes the limits.
func (d *decoder) backups() {
	switch b := d.next(); {
	case b < 0x60:
	case b < 0x80:
		d.edit(Remote, Edit{Verb: Backup})
	case b < 0xa0:
		d.edit(State, Edit{Verb: Backup})
	case b < 0xb0:
		d.edit(State, Edit{Verb: Restore})
	case b < 0xc0:
		_, folders := d.w.holdings(Remote)
		for i, name := range folders {
			if b&1 == 0 || i == int(b>>1)%len(folders) {
				d.edit(Remote, Edit{Verb: Restore, Folder: name})
			}
		}
	case b < 0xe0:
		d.edit(State, Edit{Verb: Limit, Name: limitPool[int(b)%len(limitPool)]})
	default:
		d.edit(State, Edit{Verb: Limit, Name: stubPool[int(b)%len(stubPool)]})
	}
}

// viewPool has the ways in which a side shows less for a run.
var viewPool = []struct {
	side Side
	verb Verb
}{{Remote, Partial}, {Remote, Hide}, {Remote, Empty}, {Remote, Fewer}, {Remote, Vanish}, {Local, Lock}, {Local, Lock}, {Local, Unmount}}

// someRun does one run in which edits happen and calls go wrong.
func (d *decoder) someRun() {
	if b := d.next(); b < 0x40 {
		v := viewPool[int(b>>2)%len(viewPool)]
		_, folders := d.w.holdings(v.side)
		d.edit(v.side, Edit{Verb: v.verb, Folder: folders[int(b)%len(folders)]})
	}
	wait := time.Duration(d.below(5)) * time.Second
	kinds := d.next()
	if kinds&0xe0 == 0xe0 {
		wait = 8 * 24 * time.Hour // a full comparison is due
	}
	d.begin(wait)
	for range int(kinds & 3) {
		d.at(d.when(), d.someEdit)
	}
	if kinds&4 != 0 {
		d.trouble(d.when(), d.someTrouble(1, lastTrouble))
	}
	if kinds&8 != 0 {
		d.trouble(When{N: 1 + d.below(30)}, d.someTrouble(CrashBefore, CrashAfter))
	}
	if kinds&0x18 == 0x10 {
		for range 2 {
			d.trouble(d.when(), d.someTrouble(LostBefore, lastTrouble))
		}
	}
	as := Act{Kind: Go, Wait: wait}
	if d.partly {
		as.NotPulled, as.NotPushed = d.notAll(), d.notAll()
	}
	if list := d.w.unwhole(); d.w.stubs() && len(list) > 0 {
		if b := int(d.next()); b%4 == 0 {
			as.Fetch = list[b/4%len(list)]
		}
	}
	d.goOn(as)
}

// someTrouble is one of those from first to last; of effects that happen all the same
// some happen late.
func (d *decoder) someTrouble(first, last Trouble) Trouble {
	b := d.next()
	t := first + Trouble(b)%(last-first+1)
	if b >= 0xc0 {
		t = t.later()
	}
	return t
}

// notAll is what a run does not propagate in one direction: nothing, something or
// all of it.
func (d *decoder) notAll() conflict.Kinds {
	switch b := d.next(); {
	case b < 0x60:
		return 0
	case b < 0x90:
		return conflict.AllKinds
	default:
		return conflict.Kinds(b) & conflict.AllKinds
	}
}

func (d *decoder) when() When {
	n := 1 + d.below(40)
	switch d.below(4) {
	case 0:
		return When{Local, n}
	case 1:
		return When{Remote, n}
	case 2:
		return When{State, n}
	}
	return When{N: n}
}

const trashName = mail.FolderName("Trash")

var folderPool = []mail.FolderName{mail.Inbox, "F", "G", "F/H", "K", "K/M", "L"}

var flagPool = []mail.Flags{
	mail.NewFlags(mail.Seen), mail.NewFlags(mail.Flagged), mail.NewFlags(mail.Answered), mail.NewFlags(mail.Deleted),
	mail.NewFlags(0, "todo"), mail.NewFlags(mail.Seen|mail.Draft, "$Label1"),
}

// verbPool has the common edits more often.
var verbPool = []Verb{
	Change, Change, Change, Change, Change, Add, Add, Add, Add, Delete, Delete, Delete, Move, Move, Move,
	Copy, Create, Remove, Rename, Rename, Rename, Renumber, Lose, Rewrite, Show,
}

// someEdit decodes one edit and does it.
func (d *decoder) someEdit() {
	side := []Side{Local, Remote}[d.below(2)]
	e := Edit{Verb: verbPool[d.below(len(verbPool))]}
	messages, folders := d.w.holdings(side)
	a, b := int(d.next()), int(d.next())
	switch e.Verb {
	case Add:
		d.add(side, a, b)
		return
	case Create:
		e.Folder = d.folders[1+a%(len(d.folders)-1)]
	case Remove, Rename, Renumber:
		e.Folder = folders[a%len(folders)]
		e.To = d.folders[1+b%(len(d.folders)-1)]
		if e.Verb == Renumber {
			side = Remote
		} else if e.Folder == mail.Inbox || e.Verb == Rename && e.To == e.Folder {
			return
		}
		if e.Verb != Rename {
			e.To = ""
		}
	case Lose:
		if side, e.Name = State, "state"; a%4 != 0 {
			return
		}
	default:
		if len(messages) == 0 || side == Remote && (e.Verb == Rewrite || e.Verb == Show) {
			return
		}
		m := messages[a%len(messages)]
		e.Folder, e.Name = m.Folder, m.Name
		if e.Verb == Rewrite && b&1 != 0 && d.w.strikesStub(side, e) {
			e.Verb = Note
		}
		switch e.Verb {
		case Move, Copy:
			e.To = d.folders[b%len(d.folders)]
		case Change:
			if e.Flags = flagPool[b%len(flagPool)]; b&0x40 != 0 && d.w.Extent.Upgrade {
				e.Flags = mail.NewFlags(mail.Flagged)
			}
			if b&0x80 != 0 {
				e.Flags, e.Minus = mail.Flags{}, e.Flags
			}
		}
	}
	d.edit(side, e)
}

// add makes a new message, or another of a content there is already, on one
// side or on both; more on the server where those become stubs.
func (d *decoder) add(side Side, a, b int) {
	if d.w.stubs() && a&0x10 != 0 {
		side = Remote
	}
	e := Edit{Verb: Add, Folder: d.folders[a%len(d.folders)], New: b&1 != 0}
	if b&2 != 0 {
		e.Flags, e.New = flagPool[b>>4%len(flagPool)], false
	}
	if a&0x40 == 0 || d.names == 0 {
		d.names++
	}
	e.Name = fmt.Sprintf("M%d", d.names)
	if d.w.cutsLong() && a&8 != 0 {
		e.Name = fmt.Sprintf("Big%d", d.names)
	}
	d.edit(side, e)
	if a&0x80 != 0 {
		other := Local
		if side == Local {
			other = Remote
		}
		d.edit(other, e)
	}
}
