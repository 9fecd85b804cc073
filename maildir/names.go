package maildir

import (
	"context"

	"imapsync/mail"
)

// Names is a listing of a folder by names alone, to be compared with what is known
// of the folder message by message: a folder may have a million files, of which a
// run seldom has to do with more than a few.
type Names struct {
	f       *folder
	listing *listing
	table   table
	flags   map[uint32]mail.Flags // by the ending
	alike   int                   // files that Like found
	snap    mail.LocalSnapshot    // without its messages
}

// Names lists a folder, in which there should be about so many messages, as Scan does
// without looking at the files.
func (m *Maildir) Names(ctx context.Context, name mail.FolderName, about int) (*Names, error) {
	n := &Names{flags: map[uint32]mail.Flags{}, snap: mail.LocalSnapshot{Folder: name, Space: mail.FullSpace()}}
	f, err := m.folder(name)
	if err != nil {
		return nil, err
	}
	stamp, exists, err := stampOf(f.path)
	if err == nil && !exists {
		_, _, err = dirTime(f.path) // a link to a disk that is not mounted is no folder that is gone
	}
	if err != nil {
		return nil, f.inFolder("look at folder", err)
	}
	n.f = f
	f.mu.Lock()
	f.about = about
	f.mu.Unlock()
	if !exists {
		return n, nil
	}
	if n.listing, err = f.list(ctx); err != nil {
		return nil, err
	}
	if n.table, err = f.keywords(); err != nil { // after the listing: whoever uses a letter has entered it first
		return nil, err
	}
	n.snap.Exists, n.snap.Stamp, n.snap.Still = true, stamp, n.listing.still
	f.mu.Lock()
	used := n.listing.letters // a move from another folder may enter some
	f.mu.Unlock()
	n.snap.Space = n.table.space(used)
	if strays := n.table.strays(used); strays != 0 {
		f.tellStrays(strays)
	}
	return n, nil
}

// Like reports whether there is a file of this key with exactly these flags. If
// so Snapshot leaves it out from then on.
func (n *Names) Like(key mail.Key, flags mail.Flags) bool {
	if n.listing == nil {
		return false
	}
	n.f.mu.Lock()
	defer n.f.mu.Unlock()
	s, there := n.listing.spots[key]
	if !there || !n.flagsOf(s).Equal(flags) {
		return false
	}
	if !s.known {
		s.known = true
		n.listing.spots[key] = s
		n.alike++
	}
	return true
}

// File returns the file of a key.
func (n *Names) File(key mail.Key) (l mail.Local, there bool) {
	if n.listing == nil {
		return l, false
	}
	n.f.mu.Lock()
	defer n.f.mu.Unlock()
	s, there := n.listing.spots[key]
	if !there {
		return l, false
	}
	return mail.Local{Key: key, Flags: n.flagsOf(s), New: s.inNew}, true
}

// Snapshot is what a Scan gives, less the files that Like found.
func (n *Names) Snapshot() mail.LocalSnapshot {
	snap := n.snap
	if n.listing == nil {
		return snap
	}
	n.f.mu.Lock()
	defer n.f.mu.Unlock()
	snap.Messages = make(map[mail.Key]mail.Local, max(len(n.listing.spots)-n.alike, 0))
	for key, s := range n.listing.spots {
		if !s.known {
			snap.Messages[key] = mail.Local{Key: key, Flags: n.flagsOf(s), New: s.inNew}
		}
	}
	return snap
}

func (n *Names) flagsOf(s spot) mail.Flags {
	set, known := n.flags[s.ending]
	if !known {
		set = n.table.flags(parseName(n.listing.endings[s.ending]).letters)
		n.flags[s.ending] = set
	}
	return set
}
