package plan

import (
	"fmt"
	"slices"

	"imapsync/conflict"
	"imapsync/mail"
)

// Rename is a folder that was renamed on one side with all below it, and is to
// be renamed on the other; or one that has its new name on both sides.
type Rename struct {
	Kind    Kind                // RenameLocal, RenameRemote or RenameFolder
	Folders []mail.FolderRename // the folder itself first, then those below it
	Same    int                 // messages of the folder itself that were found under its new name
	Known   int                 // of so many
}

// RenameInput is what tells a renamed folder.
type RenameInput struct {
	Folders []*Folder // as observed
	// All names that a side lists, also of folders that are no part of the run.
	Local, Remote map[mail.FolderName]bool
	// Fixed tells folders of which something is outstanding, or whose name is not
	// to change.
	Fixed  func(mail.FolderName) bool
	Policy func(mail.FolderName) conflict.Policy // nil is the default everywhere
}

// Renames finds the folders that are gone from one side and are there under a new
// name, and that the other side can give this name by one command. What makes
// sure is messages, not names or numbers: more than half of a folder's messages
// are found under the new name, in the Maildir by key and content, on the server
// by UID and identity under the same UIDVALIDITY, and nothing found there under a
// known key or UID is another message. Folders below come along with a rename on
// either side; so all of them must have been renamed likewise. Where anything
// does not fit, or fits twice, there is no rename: the folder is made anew, its
// messages are moved, and the old one is removed.
func Renames(in RenameInput) []Rename {
	f := renames{in, map[mail.FolderName]*Folder{}, map[mail.FolderName]pairing{}}
	f.pair()
	var found []Rename
	for _, x := range in.Folders {
		r, ok := f.whole(x)
		if !ok || slices.ContainsFunc(found, r.interferes) {
			continue
		}
		found = append(found, r)
	}
	return found
}

type renames struct {
	in     RenameInput
	byName map[mail.FolderName]*Folder
	pairs  map[mail.FolderName]pairing // by the old name
}

// pairing is a new name for a folder.
type pairing struct {
	kind Kind
	to   mail.FolderName
	same int
}

// pair finds the folders that have one new name alone, which no other has.
func (f *renames) pair() {
	news, olds := map[mail.FolderName][]pairing{}, map[mail.FolderName]int{}
	for _, x := range f.in.Folders {
		f.byName[x.Name] = x
		if len(x.Base) == 0 || x.Local.Exists && x.Remote.Exists {
			continue
		}
		for _, y := range f.in.Folders {
			if p, ok := f.fits(x, y); ok {
				news[x.Name] = append(news[x.Name], p)
				olds[y.Name]++
			}
		}
	}
	for x, ps := range news {
		if len(ps) == 1 && olds[ps[0].to] == 1 {
			f.pairs[x] = ps[0]
		}
	}
}

// fits reports whether the folder x may have become y.
func (f *renames) fits(x, y *Folder) (p pairing, ok bool) {
	p.to = y.Name
	if !x.Known || y.Known || !x.numbered() || x.doubtful() || y.doubtful() || f.fixed(x.Name) || f.fixed(y.Name) {
		return p, false
	}
	local := !x.Local.Exists && !f.in.Local[x.Name] && y.Local.Exists
	remote := !x.Remote.Exists && !f.in.Remote[x.Name] && y.Remote.Exists
	switch {
	case local && remote:
		p.kind = RenameFolder
	case local && x.Remote.Exists && !y.Remote.Exists && !f.in.Remote[y.Name] && !x.Remote.Space.ReadOnly && x.Remote.Mark.UIDValidity == x.Mark.UIDValidity:
		p.kind = RenameRemote
	case remote && x.Local.Exists && !y.Local.Exists && !f.in.Local[y.Name]:
		p.kind = RenameLocal
	default:
		return p, false
	}
	if !f.propagated(p.kind, x.Name) || !f.propagated(p.kind, y.Name) {
		return p, false
	}
	p.same, ok = len(x.Base), true
	if local {
		p.same, ok = sameFiles(x, y)
	}
	if ok && remote {
		var n int
		n, ok = sameMessages(x, y)
		p.same = min(p.same, n)
	}
	return p, ok && (len(x.Base) == 0 || 2*p.same > x.known(local))
}

// known counts the messages by which a rename is told: in the Maildir those that
// are held.
func (f *Folder) known(local bool) int {
	n := len(f.Base)
	for _, row := range f.Base {
		if local && row.RemoteOnly {
			n--
		}
	}
	return n
}

// propagated reports whether a folder may be renamed on the other side.
func (f *renames) propagated(kind Kind, name mail.FolderName) bool {
	in := Input{Policy: f.in.Policy}
	switch kind {
	case RenameLocal:
		return !in.notPulled(name, conflict.Folders).any()
	case RenameRemote:
		return !in.notPushed(name, conflict.Folders).any()
	}
	return true
}

func (f *renames) fixed(name mail.FolderName) bool {
	return name == mail.Inbox || f.in.Fixed != nil && f.in.Fixed(name)
}

// numbered reports whether each message that the base knows of the folder has
// its number and its file.
func (f *Folder) numbered() bool {
	return f.Mark.UIDValidity != 0 &&
		!slices.ContainsFunc(f.Base, func(row *mail.Base) bool { return row.UID == 0 || row.Key == "" && !row.RemoteOnly })
}

// doubtful reports whether a listing of the folder may lack something.
func (f *Folder) doubtful() bool {
	return f.Local.Doubt != "" || f.Remote.Doubt != "" || len(f.Unread) > 0
}

// mayBeLater reports whether a mailbox that was at one mark may be at the other
// by now. Mailboxes made in the same second may share a UIDVALIDITY, so that no
// more follows from it.
func mayBeLater(then, now mail.Mark) bool {
	return now.UIDValidity == then.UIDValidity && now.UIDNext >= then.UIDNext &&
		(now.HighestModSeq == 0 || now.HighestModSeq >= then.HighestModSeq)
}

// sameFiles counts the messages of x whose files are in y, unless one of them is
// another message.
func sameFiles(x, y *Folder) (n int, ok bool) {
	for _, row := range x.Base {
		l, there := y.Local.Messages[row.Key]
		if !there {
			continue
		}
		if l.Content == nil || l.Content.Digest.IsZero() || l.Content.Digest != row.Content.Digest {
			return 0, false
		}
		n++
	}
	return n, true
}

// sameMessages counts the messages of x that the mailbox y has, unless a UID of
// theirs is another message there, or y cannot be x.
func sameMessages(x, y *Folder) (n int, ok bool) {
	if !mayBeLater(x.Mark, y.Remote.Mark) {
		return 0, false
	}
	for _, row := range x.Base {
		r, there := y.Remote.Messages[row.UID]
		if there && !sameMessage(row.Content, r) && !sameUnheld(row, r) || row.UID >= y.Remote.Mark.UIDNext {
			return 0, false
		}
		if there {
			n++
		}
	}
	return n, true
}

// sameUnheld compares a message that a limit left on the server by what is known
// of it.
func sameUnheld(row *mail.Base, r mail.Remote) bool {
	return row.RemoteOnly && row.RemoteSize == r.Size && row.Date.Equal(r.Date)
}

// whole returns the rename of a folder and all below it on the side where it is
// to be renamed.
func (f *renames) whole(x *Folder) (r Rename, ok bool) {
	p, ok := f.pairs[x.Name]
	r = Rename{Kind: p.kind, Folders: []mail.FolderRename{{From: x.Name, To: p.to}}, Same: p.same, Known: len(x.Base)}
	if !ok || p.kind == RenameFolder {
		return r, ok
	}
	if p.to.Within(x.Name) {
		return r, false
	}
	listed := f.in.Remote
	if p.kind == RenameLocal {
		listed = f.in.Local
	}
	for name := range listed {
		if name.Within(p.to) {
			return r, false
		}
		if !name.Within(x.Name) {
			continue
		}
		below := mail.FolderRename{From: name, To: p.to + name[len(x.Name):]}
		if !f.alike(below, p.kind) {
			return r, false
		}
		r.Folders = append(r.Folders, below)
	}
	slices.SortFunc(r.Folders[1:], func(a, b mail.FolderRename) int {
		if a.From < b.From {
			return -1
		}
		return 1
	})
	return r, true
}

// alike reports whether a folder below one that was renamed came along. In an
// empty one there is nothing that could be mistaken.
func (f *renames) alike(below mail.FolderRename, kind Kind) bool {
	x, y := f.byName[below.From], f.byName[below.To]
	if x == nil || y == nil {
		return false
	}
	if len(x.Base)+x.Quiet > 0 {
		p := f.pairs[x.Name]
		return p.kind == kind && p.to == y.Name
	}
	p, ok := f.fits(x, y)
	return ok && p.kind == kind
}

// interferes reports whether two renames are about the same part of a side's
// hierarchy.
func (r Rename) interferes(other Rename) bool {
	if r.Kind == RenameFolder || other.Kind == RenameFolder {
		return false
	}
	for _, a := range r.ends() {
		for _, b := range other.ends() {
			if a == b || a.Within(b) || b.Within(a) {
				return true
			}
		}
	}
	return false
}

func (r Rename) ends() []mail.FolderName {
	return []mail.FolderName{r.Folders[0].From, r.Folders[0].To}
}

// Op is the operation of the rename.
func (r Rename) Op() *Op {
	where := map[Kind]string{RenameLocal: "on the server", RenameRemote: "in the Maildir", RenameFolder: "on both sides"}[r.Kind]
	reason := fmt.Sprintf("renamed %s: %d of the %d messages known of it are there", where, r.Same, r.Known)
	if n := len(r.Folders) - 1; n > 0 {
		reason += fmt.Sprintf(", and the folders below it (%d) came along", n)
	}
	return &Op{Kind: r.Kind, Folder: r.Folders[0].From, To: r.Folders[0].To, Rule: conflict.RuleFolderRenamed, Reason: reason}
}
