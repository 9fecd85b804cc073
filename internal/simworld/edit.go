package simworld

import (
	"fmt"

	"imapsync/mail"
)

// Verb is what an edit does.
type Verb string

// The verbs of a scenario. Those below Rename are for one side only.
const (
	Change Verb = "change" // flags
	Add    Verb = "new"
	Delete Verb = "delete"
	Move   Verb = "move"
	Copy   Verb = "copy"
	Create Verb = "create" // a folder
	Remove Verb = "remove" // a folder with all its messages
	Rename Verb = "rename" // a folder with all below it

	Rewrite   Verb = "edit"      // local: other content under the same file name
	Note      Verb = "note"      // local: something is written into a stub, below its first line
	Show      Verb = "show"      // local: a reader moves the file from new/ to cur/
	Fill      Verb = "fill"      // local: the folder's keyword table is full of other keywords
	Unmount   Verb = "unmount"   // local: the Maildir is not there
	Mount     Verb = "mount"     // local: it is back
	Renumber  Verb = "renumber"  // remote: new UIDVALIDITY, new UIDs
	ReadOnly  Verb = "readonly"  // remote: nothing can be changed in the folder
	Permanent Verb = "permanent" // remote: only these flags can be stored
	Partial   Verb = "partial"   // remote: listings leave messages out and do not add up
	Hide      Verb = "hide"      // remote: LIST does not tell of the folder
	Empty     Verb = "empty"     // remote: the folder shows no message, and says so
	Fewer     Verb = "fewer"     // remote: it shows fewer messages than it has, and says so
	Vanish    Verb = "vanish"    // remote: a delta tells of messages as gone that are there
	Complete  Verb = "complete"  // remote: listings are right again
	Lock      Verb = "lock"      // local: nobody may look into the folder
	Unlock    Verb = "unlock"    // local: everybody may again
	Lose      Verb = "lose"      // local: "marker" or "maildir"; state: "state"
	Limit     Verb = "limit"     // state: what the Maildir is to hold of each folder: "newest 2", "headers flagged" or "none"
	Backup    Verb = "backup"    // remote: of the whole server; state: of the state
	Restore   Verb = "restore"   // remote: a folder is as in the backup; state: all of it is
)

// Edit is something that a mail reader, another client or fate does to one
// side. Messages are named by their content; where a folder holds several of a
// name the first is meant.
type Edit struct {
	Verb   Verb
	Folder mail.FolderName
	Name   string // of a message; Lose: of what is lost
	Flags  mail.Flags
	New    bool       // Add on the local side: into new/
	Minus  mail.Flags // Change: flags taken away; Flags are those added
	To     mail.FolderName
}

// Edit does an edit. An error says that there is nothing to do it to.
func (w *World) Edit(side Side, e Edit) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.edit(side, e)
}

// EditInHook is Edit for a function given to HookAt, where the lock is held.
func (w *World) EditInHook(side Side, e Edit) error { return w.edit(side, e) }

func (w *World) edit(side Side, e Edit) error {
	switch e.Verb {
	case Add:
		w.named[contentOf(Content(e.Name)).Digest] = e.Name
	case Rewrite:
		w.named[contentOf(Content(e.Name+"~")).Digest] = e.Name + "~"
	}
	var err error
	switch {
	case side == Local:
		err = w.Disk.edit(e)
	case side == Remote:
		err = w.Server.edit(e)
	case side == State && e.Verb == Lose && e.Name == "state":
		saved := w.Record.saved
		*w.Record = *newRecord(w)
		w.Record.saved = saved
	case side == State && e.Verb == Limit:
		w.Extent, err = parseExtent(e.Name)
	case side == State && e.Verb == Backup:
		w.Record.backup()
	case side == State && e.Verb == Restore:
		err = w.Record.restore()
	default:
		err = fmt.Errorf("no such edit")
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", side, e, err)
	}
	return nil
}

func (d *Disk) edit(e Edit) error {
	switch e.Verb {
	case Unmount, Mount:
		d.Unmounted = e.Verb == Unmount
		return nil
	}
	if d.Unmounted {
		return fmt.Errorf("the Maildir is not mounted")
	}
	switch e.Verb {
	case Lose:
		if d.marker = ""; e.Name == "maildir" {
			d.root, d.folders = false, map[mail.FolderName]*dir{}
		}
		return nil
	case Create:
		d.create(e.Folder)
		return nil
	case Add:
		f := d.create(e.Folder)
		d.put(f, d.newKey(), Content(e.Name), e.Flags, epoch, !e.New)
		return nil
	}
	f := d.dir(e.Folder)
	if f == nil {
		return fmt.Errorf("no such folder")
	}
	if f.unreadable && e.Verb != Unlock {
		return fmt.Errorf("the folder is locked")
	}
	switch e.Verb {
	case Lock, Unlock:
		f.unreadable = e.Verb == Lock
		return nil
	case Remove:
		if len(d.folders) == 1 {
			return fmt.Errorf("a Maildir without any folder looks unmounted, and is held")
		}
		delete(d.folders, e.Folder)
		return nil
	case Rename:
		return rename(d.folders, e.Folder, e.To)
	case Fill:
		for i := len(f.keywords.Keywords()); i < maxKeywords; i++ {
			d.fit(f, mail.NewFlags(0, fmt.Sprintf("other%02d", i)))
		}
		return nil
	}
	for _, key := range f.keyList() {
		if NameOf(f.files[key].content) == e.Name {
			delete(f.undo, key)
			return d.editFile(f, key, e)
		}
	}
	return fmt.Errorf("no such message")
}

func (d *Disk) editFile(f *dir, key mail.Key, e Edit) error {
	x := f.files[key]
	switch e.Verb {
	case Change:
		d.setFlags(f, x, x.flags.Minus(e.Minus).Union(e.Flags))
	case Show:
		x.new = false
		d.touch(f, true, true)
	case Delete:
		d.remove(f, key)
	case Move:
		d.remove(f, key)
		fallthrough
	case Copy:
		as := d.newKey()
		if e.Verb == Move && d.w.chance("key of a moved file") {
			as = key
		}
		d.put(d.create(e.To), as, x.content, x.flags, x.date, !x.new).stamp = x.stamp
	case Rewrite, Note:
		if e.Verb == Rewrite {
			x.content = Content(e.Name + "~")
		} else if !isStub(x.content) {
			return fmt.Errorf("no stub")
		} else {
			x.content = append(x.content[:len(x.content):len(x.content)], "A note.\n"...)
		}
		x.stamp = mail.FileStamp{Size: int64(len(x.content)), MTime: d.w.now.UnixNano()}
		d.touch(f, x.new, !x.new)
	default:
		return fmt.Errorf("no such edit")
	}
	return nil
}

func (s *Server) edit(e Edit) error {
	if e.Verb == Backup {
		s.backup()
		return nil
	}
	if (e.Verb == Create || e.Verb == Add) && s.boxes[e.Folder] == nil {
		s.create(e.Folder)
	}
	if (e.Verb == Move || e.Verb == Copy) && s.boxes[e.To] == nil {
		s.create(e.To)
	}
	b := s.boxes[e.Folder]
	if b == nil {
		return fmt.Errorf("no such folder")
	}
	switch e.Verb {
	case Create:
	case Add:
		b.add(Content(e.Name), e.Flags, epoch)
	case Remove:
		delete(s.boxes, e.Folder)
	case Rename:
		return rename(s.boxes, e.Folder, e.To)
	case Renumber:
		s.renumber(b)
	case ReadOnly:
		b.space.ReadOnly = true
	case Permanent:
		b.space = mail.FlagSpace{System: e.Flags.System, Keywords: mail.NewFlags(0, e.Flags.Keywords()...)}
	case Partial, Hide, Empty, Fewer, Vanish, Complete:
		b.setView(e.Verb)
	case Restore:
		return s.restore(e.Folder)
	default:
		for _, m := range b.messages {
			if NameOf(m.content) == e.Name {
				return s.editMessage(b, m, e)
			}
		}
		return fmt.Errorf("no such message")
	}
	return nil
}

func (s *Server) editMessage(b *box, m *message, e Edit) error {
	switch e.Verb {
	case Change:
		b.store(m, e.Flags, e.Minus)
	case Delete:
		b.remove(m.uid)
	case Move:
		b.remove(m.uid)
		fallthrough
	case Copy:
		s.boxes[e.To].add(m.content, m.flags, m.date)
	default:
		return fmt.Errorf("no such edit")
	}
	return nil
}

// List tells what a side holds, in the order of folders, names and flags. An
// Entry without a name stands for each folder that is empty.
func (w *World) List(side Side) []Entry {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []Entry
	if side == Local {
		for name, f := range w.Disk.folders {
			list = append(list, Entry{Folder: name})
			for _, x := range f.files {
				list = append(list, Entry{name, NameOf(x.content), x.flags, x.new})
			}
		}
	} else {
		for name, b := range w.Server.boxes {
			if name == w.apart {
				continue
			}
			list = append(list, Entry{Folder: name})
			for _, m := range b.messages {
				list = append(list, Entry{Folder: name, Name: NameOf(m.content), Flags: m.flags})
			}
		}
	}
	return Tidy(list)
}
